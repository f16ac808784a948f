// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that knows the truth about vhost's dirty log. Packets come through a tap to vhost-net, which
 * writes them to buffers in the memory of a VM and logs that. After each round KVM's log of that memory
 * is read, and then vhost's is read and cleared without a call, as QEMU does; what was in it is compared
 * with what really changed in memory. The VM has no vCPU: whatever is dirty, vhost has written. Every
 * round is one JSON line on stdout. Not here: what hwdbm saw of it (tests/kvm/compare).
 *
 *   vhostlog [--rounds N] [--packets N] [--seed N] [--interval MS] [--live] [--gap MS] [--vsock] [--hold]
 *
 * --live: packets go on to come while the logs are read; --gap: between the reads of the one and the other;
 * --vsock: a vhost-vsock device shares the log; --hold: stays with the log on, at the end, until a signal
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

/* Aligned to nothing, on both sides of a GiB; larger than what may be a display */
#define BASE 0x3ff0d000UL
#define BYTES ((72UL << 20) + 77 * PAGE)
#define PAGES (BYTES / PAGE)
#define SLOT 3

#define ENTRIES 256

/* Rings, at the beginning of the memory; what the driver writes itself is in pages of its own. */
#define DESCRIPTORS 0
#define AVAILABLE PAGE
#define USED (2 * PAGE)
#define RING_BYTES (3 * PAGE)
#define RINGS 3

#define BUFFER_BYTES (4 * PAGE)
#define PACKET_MOST 9000

#define WAIT_S 20

struct ring {
	char *at;
	uint16_t posted;
	uint16_t taken;
	int kick;
};

static struct {
	unsigned int rounds;
	unsigned int packets;
	unsigned int interval_ms;
	unsigned int gap_ms;
	uint64_t seed;
	bool live;
	bool vsock;
	bool hold;
} options = { .rounds = 4, .packets = 100, .seed = 1 };

static char *memory;
static char *shadow;		/* as it was when the log was last read */
static uint64_t *log_words;
static size_t log_word_count;
static int vm;
static int tap, packets_out;
static struct ring receive;
static volatile bool is_over;
static volatile uint64_t received;

static uint64_t random_below(uint64_t limit)
{
	options.seed ^= options.seed << 13;
	options.seed ^= options.seed >> 7;
	options.seed ^= options.seed << 17;
	return (options.seed >> 16) % limit;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static int call(int fd, unsigned long command, void *argument, const char *what)
{
	int ret = ioctl(fd, command, argument);

	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

/* ---- the VM ------------------------------------------------------------------------- */

static char *map_memory(size_t bytes)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		err(1, "memory for the guest");
	return at;
}

static void set_slot(uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT, .flags = flags, .guest_phys_addr = BASE, .memory_size = BYTES,
		.userspace_addr = (uintptr_t)memory,
	};

	call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void make_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		err(1, "/dev/kvm");
	vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	close(kvm);
	memory = map_memory(BYTES);
	shadow = map_memory(BYTES);
	set_slot(0);
}

/* ---- the network -------------------------------------------------------------------- */

static void make_tap(void)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int header = sizeof(struct virtio_net_hdr_v1), control = socket(AF_INET, SOCK_DGRAM, 0);

	tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tap < 0)
		err(1, "/dev/net/tun");
	strcpy(request.ifr_name, "vhostlog%d");
	call(tap, TUNSETIFF, &request, "TUNSETIFF");
	call(tap, TUNSETVNETHDRSZ, &header, "TUNSETVNETHDRSZ");
	request.ifr_mtu = PACKET_MOST;
	call(control, SIOCSIFMTU, &request, "SIOCSIFMTU");
	request.ifr_flags = IFF_UP;
	call(control, SIOCSIFFLAGS, &request, "SIOCSIFFLAGS");
	call(control, SIOCGIFINDEX, &request, "SIOCGIFINDEX");
	address.sll_ifindex = request.ifr_ifindex;
	close(control);
	packets_out = socket(AF_PACKET, SOCK_RAW, 0);
	if (packets_out < 0 || bind(packets_out, (struct sockaddr *)&address, sizeof(address)))
		err(1, "a socket for packets");
}

static void send_packet(void)
{
	static uint32_t number;
	char packet[PACKET_MOST] = { 0 };
	size_t bytes = 60 + random_below(PACKET_MOST - 60);

	number++;
	memset(packet, 0xff, ETH_ALEN);
	packet[ETH_ALEN] = 2;
	packet[2 * ETH_ALEN] = (char)0x88;
	packet[2 * ETH_ALEN + 1] = (char)0xb5;
	for (size_t at = 16; at + sizeof(number) <= bytes; at += sizeof(number))
		memcpy(packet + at, &number, sizeof(number));
	if (send(packets_out, packet, bytes, 0) != (ssize_t)bytes)
		err(1, "a packet of %zu bytes", bytes);
}

/* ---- vhost -------------------------------------------------------------------------- */

static struct vring_used *used_of(const struct ring *ring)
{
	return (void *)(ring->at + USED);
}

static void set_address(int vhost, const struct ring *ring, unsigned int index, bool logs)
{
	struct vhost_vring_addr address = {
		.index = index, .flags = logs ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = (uintptr_t)ring->at + DESCRIPTORS,
		.avail_user_addr = (uintptr_t)ring->at + AVAILABLE,
		.used_user_addr = (uintptr_t)ring->at + USED,
		.log_guest_addr = BASE + (uint64_t)(ring->at - memory) + USED,
	};

	call(vhost, VHOST_SET_VRING_ADDR, &address, "VHOST_SET_VRING_ADDR");
}

static void set_ring(int vhost, struct ring *ring, unsigned int index, unsigned int place)
{
	struct vhost_vring_state state = { .index = index, .num = ENTRIES };
	struct vhost_vring_file file = { .index = index };

	ring->at = memory + place * RING_BYTES;
	call(vhost, VHOST_SET_VRING_NUM, &state, "VHOST_SET_VRING_NUM");
	state.num = 0;
	call(vhost, VHOST_SET_VRING_BASE, &state, "VHOST_SET_VRING_BASE");
	set_address(vhost, ring, index, false);
	ring->kick = file.fd = eventfd(0, EFD_CLOEXEC);
	call(vhost, VHOST_SET_VRING_KICK, &file, "VHOST_SET_VRING_KICK");
	file.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	call(vhost, VHOST_SET_VRING_CALL, &file, "VHOST_SET_VRING_CALL");
}

static int open_vhost(const char *path)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = {
		.head.nregions = 1,
		.region = { .guest_phys_addr = BASE, .memory_size = BYTES, .userspace_addr = (uintptr_t)memory },
	};
	int vhost = open(path, O_RDWR | O_CLOEXEC);

	if (vhost < 0)
		err(1, "%s", path);
	call(vhost, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	call(vhost, VHOST_SET_MEM_TABLE, &table, "VHOST_SET_MEM_TABLE");
	return vhost;
}

static void set_features(int vhost, uint64_t features)
{
	features |= 1UL << VIRTIO_F_VERSION_1;
	call(vhost, VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
}

/* In the order that QEMU has */
static void start_log(int vhost)
{
	uint64_t base = (uintptr_t)log_words;

	call(vhost, VHOST_SET_LOG_BASE, &base, "VHOST_SET_LOG_BASE");
	set_features(vhost, 1UL << VHOST_F_LOG_ALL);
}

static int make_net(void)
{
	int vhost = open_vhost("/dev/vhost-net");
	struct vhost_vring_file backend = { .fd = tap };

	set_features(vhost, 0);
	set_ring(vhost, &receive, 0, 0);
	call(vhost, VHOST_NET_SET_BACKEND, &backend, "VHOST_NET_SET_BACKEND");
	return vhost;
}

static int make_vsock(struct ring rings[2])
{
	int vhost = open_vhost("/dev/vhost-vsock"), runs = 1;
	uint64_t cid = 4711;

	set_features(vhost, 0);
	set_ring(vhost, &rings[0], 0, 1);
	set_ring(vhost, &rings[1], 1, 2);
	call(vhost, VHOST_VSOCK_SET_GUEST_CID, &cid, "VHOST_VSOCK_SET_GUEST_CID");
	call(vhost, VHOST_VSOCK_SET_RUNNING, &runs, "VHOST_VSOCK_SET_RUNNING");
	return vhost;
}

/* A buffer at a place of its own: one that is used twice would hide what the first packet changed. */
static void post_buffer(struct ring *ring)
{
	uint64_t room = BYTES - RINGS * RING_BYTES - BUFFER_BYTES;
	struct vring_desc *descriptor = (struct vring_desc *)(ring->at + DESCRIPTORS) + ring->posted % ENTRIES;
	struct vring_avail *available = (void *)(ring->at + AVAILABLE);

	descriptor->addr = BASE + RINGS * RING_BYTES + random_below(room);
	descriptor->len = BUFFER_BYTES;
	descriptor->flags = VRING_DESC_F_WRITE;
	available->ring[ring->posted % ENTRIES] = ring->posted % ENTRIES;
	ring->posted++;
	__atomic_store_n(&available->idx, ring->posted, __ATOMIC_RELEASE);
}

static void kick(const struct ring *ring)
{
	uint64_t one = 1;

	if (write(ring->kick, &one, sizeof(one)) != sizeof(one))
		err(1, "a kick");
}

static bool is_taken(const struct ring *ring)
{
	return __atomic_load_n(&used_of(ring)->idx, __ATOMIC_ACQUIRE) != ring->taken;
}

static void wait_for_packet(void)
{
	uint64_t deadline = now_ns() + WAIT_S * 1000000000UL;

	while (!is_taken(&receive)) {
		if (now_ns() > deadline)
			errx(1, "vhost-net did not take a packet in %d s", WAIT_S);
		usleep(20);
	}
	receive.taken++;
	received++;
}

static void exchange_packet(void)
{
	post_buffer(&receive);
	kick(&receive);
	send_packet();
	wait_for_packet();
}

static void *exchange(void *unused)
{
	while (!is_over)
		exchange_packet();
	return unused;
}

/* ---- the logs ----------------------------------------------------------------------- */

struct truth {
	uint64_t *bits;		/* of the slot's pages, as they were read */
	uint64_t *kvm;
};

static bool is_dirty(const struct truth *truth, size_t page)
{
	return truth->bits[page / 64] >> page % 64 & 1;
}

/* Returns bits outside of the slot. */
static uint64_t read_log(const struct truth *truth)
{
	uint64_t outside = 0;

	memset(truth->bits, 0, (PAGES + 63) / 64 * 8);
	for (size_t word = 0; word < log_word_count; word++) {
		uint64_t bits = log_words[word] ? __atomic_exchange_n(&log_words[word], 0, __ATOMIC_SEQ_CST) : 0;

		for (; bits; bits &= bits - 1) {
			uint64_t page = word * 64 + __builtin_ctzl(bits) - BASE / PAGE;

			if (page >= PAGES)
				outside++;
			else
				truth->bits[page / 64] |= 1UL << page % 64;
		}
	}
	return outside;
}

static uint64_t dirty_bytes(const struct truth *truth, uint64_t unit)
{
	uint64_t bytes = 0, counted_to = 0, end = BASE + BYTES;

	for (size_t page = 0; page < PAGES; page++) {
		uint64_t address = BASE + page * PAGE, first = address / unit * unit, last = first + unit;

		if (!is_dirty(truth, page) || address < counted_to)
			continue;
		bytes += (last < end ? last : end) - (first > BASE ? first : BASE);
		counted_to = last;
	}
	return bytes;
}

/* The driver's own pages are those of descriptors and of what is available. */
static bool is_ours(size_t page)
{
	return page < RINGS * RING_BYTES / PAGE && page % (RING_BYTES / PAGE) != USED / PAGE;
}

static void tell_round(const struct truth *truth, unsigned int round, uint64_t outside)
{
	uint64_t changed = 0, missing = 0, pages = 0;

	for (size_t page = 0; page < PAGES; page++) {
		bool differs = !is_ours(page) && memcmp(memory + page * PAGE, shadow + page * PAGE, PAGE);

		changed += differs;
		missing += differs && !is_dirty(truth, page);
		pages += is_dirty(truth, page);
		if (differs && !options.live)
			memcpy(shadow + page * PAGE, memory + page * PAGE, PAGE);
	}
	printf("{\"round\":%u,\"packets\":%" PRIu64 ",\"pages\":%" PRIu64 ",\"outside\":%" PRIu64, round,
	       received, pages, outside);
	if (!options.live)
		printf(",\"changed_pages\":%" PRIu64 ",\"missing\":%" PRIu64, changed, missing);
	printf(",\"dirty_4k_bytes\":%" PRIu64 ",\"dirty_64k_bytes\":%" PRIu64 ",\"dirty_2m_bytes\":%" PRIu64
	       ",\"dirty_1g_bytes\":%" PRIu64 "}\n", dirty_bytes(truth, PAGE), dirty_bytes(truth, 65536),
	       dirty_bytes(truth, 2UL << 20), dirty_bytes(truth, 1UL << 30));
	fflush(stdout);
}

static void run_rounds(void)
{
	struct truth truth = { calloc((PAGES + 63) / 64, 8), calloc((PAGES + 63) / 64, 8) };
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = truth.kvm };
	uint64_t outside;

	if (!truth.bits || !truth.kvm)
		err(1, "memory for the truth");
	for (unsigned int round = 1; round <= options.rounds; round++) {
		for (unsigned int i = 0; !options.live && i < options.packets; i++)
			exchange_packet();
		usleep(options.interval_ms * 1000);
		call(vm, KVM_GET_DIRTY_LOG, &log, "KVM_GET_DIRTY_LOG");
		usleep(options.gap_ms * 1000);
		outside = read_log(&truth);
		tell_round(&truth, round, outside);
	}
	free(truth.bits);
	free(truth.kvm);
}

/* ---- options ------------------------------------------------------------------------ */

static unsigned long number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (!*text || *end || value > most)
		errx(2, "'%s' is no number up to %lu", text, most);
	return value;
}

static void parse(int argc, char **argv)
{
	static const struct option words[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "packets", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "interval", required_argument, NULL, 'i' },
		{ "gap", required_argument, NULL, 'g' },
		{ "live", no_argument, NULL, 'l' },
		{ "vsock", no_argument, NULL, 'v' },
		{ "hold", no_argument, NULL, 'H' },
		{ 0 }
	};
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'r': options.rounds = number(optarg, ~0U); break;
		case 'p': options.packets = number(optarg, ~0U); break;
		case 's': options.seed = number(optarg, ~0U); break;
		case 'i': options.interval_ms = number(optarg, 60000); break;
		case 'g': options.gap_ms = number(optarg, 60000); break;
		case 'l': options.live = true; break;
		case 'v': options.vsock = true; break;
		case 'H': options.hold = true; break;
		default: errx(2, "usage: vhostlog [--rounds N] [--packets N] [--seed N] [--interval MS] [--live] [--gap MS] [--vsock] [--hold]");
		}
	}
	options.seed = options.seed * 0x9e3779b97f4a7c15 + 1;
}

int main(int argc, char **argv)
{
	struct ring vsock_rings[2];
	pthread_t thread;
	int net, vsock = -1;

	parse(argc, argv);
	/* As QEMU has it: up to the last page that vhost may write to, and not aligned to a page */
	log_word_count = (BASE + BYTES - 1) / PAGE / 64 + 1;
	log_words = calloc(log_word_count, sizeof(*log_words));
	if (!log_words)
		err(1, "memory for the log");
	make_vm();
	make_tap();
	net = make_net();
	if (options.vsock)
		vsock = make_vsock(vsock_rings);
	/* Before anything is logged */
	exchange_packet();
	memcpy(shadow, memory, BYTES);
	start_log(net);
	set_address(net, &receive, 0, true);
	if (options.vsock) {
		start_log(vsock);
		set_address(vsock, &vsock_rings[0], 0, true);
		set_address(vsock, &vsock_rings[1], 1, true);
	}
	set_slot(KVM_MEM_LOG_DIRTY_PAGES);
	if (options.live && pthread_create(&thread, NULL, exchange, NULL))
		errx(1, "no thread for packets");
	run_rounds();
	if (options.hold)
		pause();
	is_over = true;
	if (options.live)
		pthread_join(thread, NULL);
	set_slot(0);
	return 0;
}
