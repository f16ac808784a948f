#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the arm64 machine code of functions in the stock and in the patched tree's objects. What may differ: where
# things lie (addresses are replaced by the names that relocations give, branches by the index of their target),
# offsets of structure members (they are listed), and code that only a static key leads to: its branch is a nop until
# somebody turns the key on, so the nop and what lies behind it are left out and counted. The compiler may order the
# same instructions another way around such a nop; that is said.
#
# usage: off-code.py OBJDUMP STOCK PATCHED     the last two hold drivers/iommu
import difflib
import re
import subprocess
import sys

IO_PGTABLE = "drivers/iommu/io-pgtable-arm.o"
SMMU = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.o"

# Every function of the file that these call is compared as well
ROOTS = {
    IO_PGTABLE: ["arm_lpae_map_pages", "arm_lpae_unmap_pages", "__arm_lpae_map", "__arm_lpae_unmap"],
    SMMU: ["arm_smmu_map_pages", "arm_smmu_unmap_pages", "arm_smmu_iova_to_phys"],
}
# Invalidations carry tracepoints, and the sync one a fix: said, but not required
TOLD = {SMMU: ["arm_smmu_iotlb_sync", "arm_smmu_tlb_inv_walk", "arm_smmu_tlb_inv_page_nosync",
               "arm_smmu_tlb_inv_context"]}


class Object:
    def __init__(self, objdump, path):
        text = subprocess.run([objdump, "-dr", "--no-show-raw-insn", "-j", ".text", path],
                              check=True, capture_output=True, text=True).stdout
        self.functions = {}
        current = None
        for line in text.splitlines():
            match = re.match(r"^([0-9a-f]+) <(.*)>:$", line)
            if match:
                current = []
                self.functions[match[2]] = current
                continue
            match = re.match(r"^\s+([0-9a-f]+):\s+(R_AARCH64_\S+)\s+(.*)$", line)
            if match and current:
                # Strings move when others are added; which one it is does not change what is executed
                current[-1]["symbol"] = re.sub(r"(\.rodata\.str\S*|\.rodata)\+0x[0-9a-f]+", r"\1", match[3])
                continue
            match = re.match(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$", line)
            if match and current is not None:
                operands = re.sub(r"\s*//.*", "", match[3])
                current.append({"at": int(match[1], 16), "name": match[2], "operands": operands, "symbol": None})
        self.keys = set()
        relocations = subprocess.run([objdump, "-r", "-j", "__jump_table", path], capture_output=True, text=True).stdout
        for match in re.finditer(r"^([0-9a-f]+) R_AARCH64_PREL32\s+\.text\+0x([0-9a-f]+)$", relocations, re.M):
            if int(match[1], 16) % 16 == 0:
                self.keys.add(int(match[2], 16))


ENDS = {"ret", "b", "br", "brk"}


def target_of(instruction):
    match = re.search(r"\b([0-9a-f]+) <([^+>]+)(\+0x[0-9a-f]+)?>", instruction["operands"])
    return (int(match[1], 16), match[2]) if match else (None, None)


def is_branch(instruction):
    return bool(re.match(r"^(b|b\.\w+|cbn?z|tbn?z)$", instruction["name"]))


# Instructions that run while every static key is off, in order
def live(obj, name):
    code = obj.functions[name]
    index = {instruction["at"]: i for i, instruction in enumerate(code)}
    seen, todo = set(), [0]
    while todo:
        i = todo.pop()
        while i < len(code) and i not in seen:
            seen.add(i)
            instruction = code[i]
            if is_branch(instruction) and not instruction["symbol"]:
                target, _ = target_of(instruction)
                if target in index:
                    todo.append(index[target])
            # WARN is a brk that execution goes on after
            if instruction["name"] in ENDS and not (instruction["name"] == "brk" and "0x800" in instruction["operands"]):
                break
            i += 1
    kept = [code[i] for i in sorted(seen) if code[i]["at"] not in obj.keys]
    return kept, sum(code[i]["at"] in obj.keys for i in seen)


def normal(obj, name):
    kept, keys = live(obj, name)
    place = {instruction["at"]: i for i, instruction in enumerate(kept)}
    out = []
    for instruction in kept:
        operands = instruction["operands"]
        target, function = target_of(instruction)
        if instruction["symbol"]:
            operands = re.sub(r"[0-9a-f]+ <[^>]*>", "", operands)
            operands = re.sub(r"#0x0\b|#0\b", "", operands) + " " + instruction["symbol"]
        elif target is not None:
            # A branch to a nop that was left out goes to what follows it
            while function == name and target in obj.keys:
                target += 4
            where = f"@{place[target]}" if function == name and target in place else function
            operands = re.sub(r"[0-9a-f]+ <[^>]*>", where, operands)
        out.append(f"{instruction['name']} {operands}".strip())
    return out, keys


OFFSET = re.compile(r"(?<=\[)((?:x\d+|sp)), #(-?\d+)")


def without_offsets(line):
    return re.sub(r"\[(x\d+)(, #-?\d+)?\]", r"[\1, #member]", line)


def at_no_place(lines):
    return [re.sub(r"@\d+", "@", line) for line in lines]


def compare(stock, patched, name):
    if name not in stock.functions or name not in patched.functions:
        return f"it is no function of its own in the {'stock' if name not in stock.functions else 'patched'} tree", ""
    (old, _), (new, keys) = normal(stock, name), normal(patched, name)
    aside = f", {keys} patched-out branches left out" if keys else ""
    if old == new:
        return "", f"{len(old)} instructions, identical{aside}"
    if [without_offsets(line) for line in old] == [without_offsets(line) for line in new]:
        moved = set()
        for a, b in zip(old, new):
            if a != b:
                x, y = OFFSET.search(a), OFFSET.search(b)
                moved.add(f"{x[2] if x else 0}->{y[2] if y else 0}")
        return "", f"{len(old)} instructions, identical but for member offsets ({', '.join(sorted(moved))}){aside}"
    if sorted(at_no_place(old)) == sorted(at_no_place(new)):
        return "", f"the same {len(old)} instructions in another order{aside}"
    diff = [line for line in difflib.unified_diff(old, new, lineterm="", n=0)
            if re.match(r"^[-+](?![-+])", line)]
    return (f"{len(old)} instructions became {len(new)}, {len(diff)} lines of difference{aside}; "
            f"the first: {' | '.join(diff[:4])}"), ""


def called(obj, name):
    for instruction in obj.functions.get(name, []):
        target, function = target_of(instruction)
        symbol = instruction["symbol"]
        if symbol:
            function = symbol.split("+")[0] if instruction["name"] in ("bl", "b") else None
        if instruction["name"] in ("bl", "b") and function and function != name and function in obj.functions:
            yield function


def closure(obj, roots):
    found, todo = [], list(roots)
    while todo:
        name = todo.pop(0)
        if name not in found:
            found.append(name)
            todo += called(obj, name)
    return found


def main():
    objdump, stock_dir, patched_dir = sys.argv[1:]
    bad = 0
    for path, roots in ROOTS.items():
        stock, patched = Object(objdump, f"{stock_dir}/{path}"), Object(objdump, f"{patched_dir}/{path}")
        for name in closure(stock, roots):
            reason, said = compare(stock, patched, name)
            if reason:
                bad += 1
            print(f"not ok {name}: {reason}" if reason else f"ok {name}: {said}")
        for name in TOLD.get(path, []):
            reason, said = compare(stock, patched, name)
            print(f"   {name}: {reason or said}")
    sys.exit(bad != 0)


main()
