// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and values of settings.
 */
#include "../../tools/model/knob.h"
#include "unit.h"

#include <string.h>

static char text[KNOB_TEXT];

static void names(void)
{
	CHECK(knob__find("iommu.dirty_split"));
	CHECK(knob__find("dirty_split") == knob__find("iommu.dirty_split"));
	CHECK(!knob__find("split") && !knob__find("") && !knob__find("iommu."));
	for (size_t i = 0; i < knob__count(); i++)
		CHECK(knob__find(knob__at(i)->name) == knob__at(i));
}

static int check(const char *name, const char *value)
{
	return knob__check(knob__find(name), value, text);
}

static void values(void)
{
	CHECK(!check("dirty_split", "lazy") && !check("dirty_split", "sample=5%,7"));
	CHECK(!check("dirty_split", "sample=0.25%,4000000000"));
	CHECK(check("dirty_split", "Lazy") && check("dirty_split", "") && check("dirty_split", "sample=0%,7"));
	CHECK(check("dirty_split", "sample=101%,7") && check("dirty_split", "sample=5%,7x"));
	CHECK(!check("dirty_granularity", "2M") && !strcmp(text, "2097152"));
	CHECK(!check("dirty_granularity", "0") && !strcmp(text, "0"));
	CHECK(check("dirty_granularity", "3M") && check("dirty_granularity", "-4K"));
	CHECK(!check("dirty_split_budget", "1") && check("dirty_split_budget", "0"));
	CHECK(check("dirty_split_budget", "4294967296"));
	CHECK(!check("kvm.eager_page_split", "on") && !strcmp(text, "Y"));
	CHECK(!check("kvm.eager_page_split", "0") && !strcmp(text, "N"));
	CHECK(check("kvm.eager_page_split", "maybe") && check("kvm.eager_page_split", "Y, y"));
	CHECK(!check("mm.shared_huge_pages", "within_size") && check("mm.shared_huge_pages", "within"));
	CHECK(check("mm.shared_huge_pages", ""));
	CHECK(check("KVM_CAP_DIRTY_LOG_RING", "4096"));
}

static void what_the_kernel_shows(void)
{
	strcpy(text, "always [madvise] never\n");
	knob__clean(text);
	CHECK(!strcmp(text, "madvise"));
	strcpy(text, "4096\n");
	knob__clean(text);
	CHECK(!strcmp(text, "4096"));
}

static void option_of_an_ioas(void)
{
	uint64_t value;

	CHECK(!knob__pack("default", 4096, &value) && !value);
	CHECK(!knob__pack("off", 4096, &value) && value == 1);
	CHECK(!knob__pack("lazy", 2 << 20, &value) && value == (3 | 21 << 8));
	knob__unpack(value, text);
	CHECK(!strcmp(text, "lazy to 2M"));
	CHECK(!knob__pack("sample=2.5%,11", 4096, &value));
	CHECK(value == (4 | 12 << 8 | UINT64_C(250) << 16 | UINT64_C(11) << 32));
	knob__unpack(value, text);
	CHECK(!strcmp(text, "sample=2.50%,11 to 4K"));
	CHECK(knob__pack("lazy", 0, &value) && knob__pack("lazy", 5000, &value));
	CHECK(knob__pack("sometimes", 4096, &value));
}

RUN_TESTS(TEST(names), TEST(values), TEST(what_the_kernel_shows), TEST(option_of_an_ioas))
