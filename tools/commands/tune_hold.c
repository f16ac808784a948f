// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watcher, the records of what is held, the guards. Not here: what a setting means.
 */
#define _GNU_SOURCE
#include "tune_hold.h"
#include "../collect/collect.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../lib/strings.h"
#include "../output/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#define TUNE_DIR KNOBS_HELD_DIR
#define JOURNAL "/dev/log"

/* killall and pidof go by names: the watcher must not be killed with the command. */
#define WATCHER_NAME "tune-undo"

struct tune *tune__new(void)
{
	struct tune *tune = mmap(NULL, sizeof(*tune), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (tune == MAP_FAILED)
		return NULL;
	tune->pidfd = -1;
	for (size_t i = 0; i < TUNE_MOST; i++)
		tune->settings[i].lock = -1;
	return tune;
}

/* ---- the journal ------------------------------------------------------------------- */

/*
 * As syslog(3), but that waits for a journal which hangs, and what is held would stay so.
 * Return: 0 or -errno.
 */
static int write_journal(const char *text)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char line[1024], when[32];
	struct tm broken;
	time_t now = time(NULL);
	int length;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	strftime(when, sizeof(when), "%b %e %T", localtime_r(&now, &broken));
	length = snprintf(line, sizeof(line), "<%d>%s hwdbm[%d]: %s", LOG_DAEMON | LOG_NOTICE, when,
			  getpid(), text);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;
	return send(fd, line, (size_t)length, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void audit(const struct tune_setting *setting, const char *verb, const char *from,
		  const char *to, const char *why)
{
	char one[KNOB_TEXT], two[KNOB_TEXT], text[900];
	int err;

	knobs__words(&setting->place, from, one);
	knobs__words(&setting->place, to, two);
	snprintf(text, sizeof(text), "tune: %s %s from %s to %s (%s; uid %u, process %d)", verb,
		 setting->place.name, one, two, why, getuid(), getpid());
	err = write_journal(text);
	/* That there is none was said at the beginning. */
	if (err && err != -ENOENT)
		log__warn("tune: the journal does not take it (%s): %s", strerror(-err), text);
}

/* ---- records ----------------------------------------------------------------------- */

/*
 * What it was, what it is now, and whose it is. Over the old record, which stays when the disk
 * is full.
 *
 * Return: 0 or -errno.
 */
static int write_record(const struct tune_setting *s)
{
	char text[4 * KNOB_TEXT];
	int length = snprintf(text, sizeof(text), "%s\n%s\n%s\n%d %d %u %" PRIu64 "\n",
			      s->place.knob ? s->place.knob->name : "ioas", s->before, s->set,
			      s->place.pid, s->place.fd, s->place.ioas, knobs__start_time(s->place.pid));

	ssize_t written = pwrite(s->lock, text, (size_t)length, 0);

	if (written == length && !ftruncate(s->lock, length))
		return 0;
	return written < 0 || written == length ? -errno : -ENOSPC;
}

static void drop_record(struct tune_setting *s)
{
	char path[128];

	snprintf(path, sizeof(path), TUNE_DIR "/%s", s->record);
	if (s->lock >= 0)
		unlink(path);
	cleanup__close(&s->lock);
	s->lock = -1;
}

/* A file that its holder has just removed is locked in vain: it is another one's by now. */
static int open_locked(const char *path, int create)
{
	for (;;) {
		_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | create, 0600);
		struct stat info;
		int locked;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB))
			return -errno;
		if (fstat(fd, &info))
			return -errno;
		if (!info.st_nlink)
			continue;
		locked = fd;
		fd = -1;
		return locked;
	}
}

static int lock_setting(struct tune_setting *s)
{
	char path[128];
	struct stat info;

	if (s->place.knob)
		STRING_COPY(s->record, s->place.knob->name);
	else
		snprintf(s->record, sizeof(s->record), "vm-%d-%d-%u", s->place.pid, s->place.fd,
			 s->place.ioas);
	snprintf(path, sizeof(path), TUNE_DIR "/%s", s->record);
	s->lock = open_locked(path, O_CREAT);
	if (s->lock == -EWOULDBLOCK)
		log__error("tune: another hwdbm tune holds %s; wait for it, or end it", s->place.name);
	else if (s->lock < 0)
		log__error("tune: cannot keep a record in %s (%s)", path, strerror(-s->lock));
	if (s->lock < 0)
		return s->lock;
	if (!fstat(s->lock, &info) && info.st_size) {
		log__error("tune: %s is still as a tune that was killed has left it; hwdbm tune --undo puts it back",
			   s->place.name);
		close(s->lock);
		s->lock = -1;
		return -EBUSY;
	}
	return 0;
}

static int make_dir(void)
{
	int err = 0;

	if ((mkdir("/run", 0755) && errno != EEXIST) || (mkdir("/run/hwdbm", 0755) && errno != EEXIST) ||
	    (mkdir(TUNE_DIR, 0700) && errno != EEXIST)) {
		err = -errno;
		log__error("tune: cannot create " TUNE_DIR " (%s): nothing was changed", strerror(-err));
	}
	return err;
}

int tune__lock(struct tune *tune)
{
	int err = make_dir();

	for (size_t i = 0; !err && i < tune->count; i++) {
		struct tune_setting *s = &tune->settings[i];

		err = lock_setting(s);
		if (err)
			break;
		err = knobs__read(&s->place, s->before);
		if (err)
			log__error("tune: cannot read %s (%s)", s->place.name, strerror(-err));
	}
	for (size_t i = 0; err && i < tune->count; i++)
		drop_record(&tune->settings[i]);
	return err;
}

/* ---- setting and undoing ----------------------------------------------------------- */

static int set_one(struct tune_setting *s, const char *why)
{
	char from[KNOB_TEXT], to[KNOB_TEXT], now[KNOB_TEXT];
	int err;

	/* Until it is known what the kernel makes of it, what was asked for stands in. */
	STRING_COPY(s->set, s->wanted);
	err = write_record(s);
	if (err) {
		log__error("tune: %s is not set: no record of what it was can be kept in " TUNE_DIR " (%s)",
			   s->place.name, strerror(-err));
		if (ftruncate(s->lock, 0))
			log__warn("tune: " TUNE_DIR "/%s is no record", s->record);
		return err;
	}
	s->state = TUNE_WRITING;
	err = knobs__write(&s->place, s->wanted);
	if (!err)
		err = knobs__read(&s->place, now);
	if (err) {
		log__error("tune: cannot set %s to %s (%s)", s->place.name, s->wanted, strerror(-err));
		return err;
	}
	STRING_COPY(s->set, now);
	if (write_record(s))
		log__warn("tune: the record of %s in " TUNE_DIR " has it as it was asked for, not as the kernel shows it",
			  s->place.name);
	s->state = TUNE_SET;
	audit(s, "set", s->before, s->set, why);
	knobs__words(&s->place, s->before, from);
	knobs__words(&s->place, s->set, to);
	log__info("tune: %s is %s now, was %s; %s", s->place.name, to, from, why);
	return 0;
}

/* Return: 0; -ESTALE if somebody else has changed it since, and then it stays as it is. */
static int undo_one(struct tune_setting *s, const char *why)
{
	char now[KNOB_TEXT], words[KNOB_TEXT];
	int err;

	if (s->state != TUNE_SET && s->state != TUNE_WRITING)
		return 0;
	err = knobs__read(&s->place, now);
	if (err == -ESRCH || err == -EBADF || err == -ENOENT) {
		s->state = TUNE_UNDONE;
		return 0;
	}
	if (!err && s->state == TUNE_SET && strcmp(now, s->set) && strcmp(now, s->before)) {
		knobs__words(&s->place, now, words);
		log__warn("tune: %s stays at %s: somebody else has changed it meanwhile", s->place.name,
			  words);
		audit(s, "left", now, now, "changed by somebody else meanwhile");
		s->state = TUNE_KEPT;
		return -ESTALE;
	}
	if (!err && strcmp(now, s->before))
		err = knobs__write(&s->place, s->before);
	if (err) {
		log__error("tune: cannot put %s back to %s (%s)", s->place.name, s->before, strerror(-err));
		audit(s, "could not put back", s->set, s->before, strerror(-err));
		return err;
	}
	s->state = TUNE_UNDONE;
	audit(s, "put back", s->set, s->before, why);
	return 0;
}

static int set_all(struct tune *tune)
{
	char why[UNITS_TEXT + 24], text[UNITS_TEXT];
	int err = 0;

	snprintf(why, sizeof(why), "for at most %s", units__duration(tune->for_ns, text));
	for (size_t i = 0; !err && i < tune->count; i++)
		err = set_one(&tune->settings[i], why);
	return err;
}

/* In reverse order: a mode is off again before its size goes. */
static int undo_all(struct tune *tune, const char *why)
{
	int err = 0;

	for (size_t i = tune->count; i-- > 0;) {
		int one = undo_one(&tune->settings[i], why);

		if (!one || one == -ESTALE)
			drop_record(&tune->settings[i]);
		err = err ?: one;
	}
	return err;
}

/* ---- guards ------------------------------------------------------------------------ */

static const struct {
	const char *word;		/* with the side on which all is well */
	const char *about;
	int (*parse)(const char *text, uint64_t *value);
	double scale;			/* of the parsed value */
} guard_words[GUARD_KINDS] = {
	[GUARD_CPU] = { "cpu<", "processors of this host busy", options__percent, 1e-4 },
	[GUARD_MEMORY] = { "memory>", "memory available on this host", options__bytes, 1 },
	[GUARD_PRESSURE] = { "pressure<", "time in which somebody waits for memory", options__percent, 1e-4 },
	[GUARD_SYNC] = { "sync<", "longest call on dirty state in the last second", options__seconds, 1 },
};

int tune__parse_guard(const char *text, struct tune_guard *guard)
{
	for (int kind = 0; kind < GUARD_KINDS; kind++) {
		size_t length = strlen(guard_words[kind].word);
		uint64_t value;

		if (strncmp(text, guard_words[kind].word, length))
			continue;
		if (guard_words[kind].parse(text + length, &value))
			break;
		guard->kind = kind;
		guard->limit = (double)value * guard_words[kind].scale;
		return 0;
	}
	log__error("tune: --guard %s: it is cpu<PERCENT, memory>BYTES, pressure<PERCENT or sync<TIME", text);
	return -EINVAL;
}

/* Busy and all ticks so far. */
static bool read_ticks(double ticks[2])
{
	_cleanup_fclose_ FILE *file = fopen("/proc/stat", "re");
	double user, nice, system, idle, iowait, irq, softirq, steal;

	if (!file || fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle,
			    &iowait, &irq, &softirq, &steal) != 8)
		return false;
	ticks[0] = user + nice + system + irq + softirq + steal;
	ticks[1] = ticks[0] + idle + iowait;
	return true;
}

static bool read_cpu(double *percent)
{
	static double last[2];
	double now[2];

	if (!read_ticks(now))
		return false;
	*percent = last[1] > 0 && now[1] > last[1] ?
			   100 * (now[0] - last[0]) / (now[1] - last[1]) : 0;
	memcpy(last, now, sizeof(last));
	return true;
}

static bool read_memory(double *bytes)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	double kib;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lf", &kib) == 1) {
			*bytes = kib * 1024;
			return true;
		}
	return false;
}

static bool read_pressure(double *percent)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/pressure/memory", "re");

	return file && fscanf(file, "some avg10=%lf", percent) == 1;
}

/* Calls since the last look; of the watcher. */
static struct {
	struct collector *collector;
	double longest_ns;
} calls;

static int take_call(void *context, enum sample_kind kind, union sample *sample)
{
	uint64_t ns = kind == SAMPLE_SYNC ? sample->sync.total_ns :
		      kind == SAMPLE_CLEAR ? sample->clear.total_ns :
		      kind == SAMPLE_TRACKING ? sample->tracking.total_ns : UNKNOWN;

	(void)context;
	if (ns != UNKNOWN && (double)ns > calls.longest_ns)
		calls.longest_ns = (double)ns;
	return 0;
}

/* Return: 0, also if no guard is about calls; or -errno after a message */
static int open_calls(const struct tune *tune)
{
	const struct collect_options options = {
		.command = "tune", .measure = MEASURE_SYNCS | BIT_OF(HWDBM_MEASURE_TRACKING),
		.require = MEASURE_SYNCS, .pid = tune->pid, .follow = true,
	};
	bool wanted = false;

	for (size_t i = 0; i < tune->guard_count; i++)
		wanted |= tune->guards[i].kind == GUARD_SYNC;
	return wanted ? collect__open(&calls.collector, &options, take_call, NULL) : 0;
}

static bool read_calls(double *ns)
{
	if (!calls.collector || collect__read(calls.collector))
		return false;
	*ns = calls.longest_ns;
	calls.longest_ns = 0;
	return true;
}

static const char *guard_value(enum tune_guard_kind kind, double value, char text[UNITS_TEXT])
{
	if (kind == GUARD_MEMORY)
		return units__bytes((uint64_t)value, text);
	if (kind == GUARD_SYNC)
		return units__duration((uint64_t)value, text);
	snprintf(text, UNITS_TEXT, "%.1f %%", value);
	return text;
}

/* A guard that cannot be read guards nothing: that is a breach, too. */
static bool is_breached(const struct tune_guard *guard)
{
	static bool (*const readers[GUARD_KINDS])(double *) = {
		[GUARD_CPU] = read_cpu, [GUARD_MEMORY] = read_memory, [GUARD_PRESSURE] = read_pressure,
		[GUARD_SYNC] = read_calls,
	};
	const char *about = guard_words[guard->kind].about;
	bool is_floor = guard->kind == GUARD_MEMORY;
	char one[UNITS_TEXT], two[UNITS_TEXT];
	double value;

	if (!readers[guard->kind](&value)) {
		log__warn("tune: the guard on \"%s\" cannot be read here", about);
		return true;
	}
	if (is_floor ? value > guard->limit : value < guard->limit)
		return false;
	log__warn("tune: guard: %s: %s, which is not %s %s", about, guard_value(guard->kind, value, one),
		  is_floor ? "above" : "below", guard_value(guard->kind, guard->limit, two));
	return true;
}

static bool any_breached(const struct tune *tune)
{
	bool breached = false;

	for (size_t i = 0; i < tune->guard_count; i++)
		breached |= is_breached(&tune->guards[i]);
	return breached;
}

/* ---- the watcher ------------------------------------------------------------------- */

static int make_timer(uint64_t ns, bool again)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	struct itimerspec when = { .it_value = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) } };

	if (again)
		when.it_interval = when.it_value;
	if (fd >= 0 && timerfd_settime(fd, 0, &when, NULL)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

enum { WAIT_SIGNAL, WAIT_COMMAND, WAIT_TIME, WAIT_TICK, WAIT_VM, WAIT_CALLS, WAITS };

static enum tune_end wait_for_end(struct tune *tune, struct pollfd waits[WAITS])
{
	struct signalfd_siginfo info;
	uint64_t ticks;

	for (;;) {
		if (poll(waits, WAITS, -1) < 0 && errno != EINTR)
			return TUNE_FAILED;
		if (waits[WAIT_VM].revents)
			return TUNE_VM_ENDED;
		if (waits[WAIT_SIGNAL].revents) {
			if (read(waits[WAIT_SIGNAL].fd, &info, sizeof(info)) == sizeof(info))
				tune->signal = (int)info.ssi_signo;
			return TUNE_SIGNAL;
		}
		if (waits[WAIT_COMMAND].revents)
			return tune->signal ? TUNE_SIGNAL : TUNE_GONE;
		if (waits[WAIT_TIME].revents)
			return TUNE_TIME;
		if (waits[WAIT_CALLS].revents && collect__read(calls.collector))
			return TUNE_FAILED;
		if (!waits[WAIT_TICK].revents)
			continue;
		if (read(waits[WAIT_TICK].fd, &ticks, sizeof(ticks)) == sizeof(ticks) &&
		    any_breached(tune))
			return TUNE_BREACH;
	}
}

static const char *const end_words[] = {
	[TUNE_NOT_ENDED] = "it was never held", [TUNE_TIME] = "the time is up",
	[TUNE_SIGNAL] = "a signal ended it", [TUNE_GONE] = "the command is gone",
	[TUNE_BREACH] = "a guard was breached", [TUNE_VM_ENDED] = "the VM has ended",
	[TUNE_FAILED] = "it failed",
};

/* Return: as tune__hold() */
static int finish(struct tune *tune)
{
	int err = undo_all(tune, end_words[tune->end]);

	if (!err)
		log__info("tune: %s: all is as it was before", end_words[tune->end]);
	return err ?: tune->end == TUNE_BREACH ? -ECANCELED : 0;
}

/* Return: exit status, a positive errno of tune__hold()'s result */
static int watch(struct tune *tune, int life, int signals)
{
	struct pollfd waits[WAITS] = {
		[WAIT_SIGNAL] = { signals, POLLIN, 0 }, [WAIT_COMMAND] = { life, POLLIN, 0 },
		[WAIT_TIME] = { make_timer(tune->for_ns, false), POLLIN, 0 },
		[WAIT_TICK] = { tune->guard_count ? make_timer(1000000000, true) : -1, POLLIN, 0 },
		[WAIT_VM] = { tune->pidfd, POLLIN, 0 },
	};
	int err = open_calls(tune);

	waits[WAIT_CALLS] = (struct pollfd){ calls.collector ? collect__fd(calls.collector) : -1, POLLIN, 0 };
	if (err)
		log__error("tune: a guard on sync cannot be kept here: nothing was changed");
	else if (waits[WAIT_TIME].fd < 0 || (tune->guard_count && waits[WAIT_TICK].fd < 0))
		err = -errno;
	else if (any_breached(tune))
		err = -ECANCELED;
	if (err) {
		tune->end = TUNE_FAILED;
		if (err == -ECANCELED)
			log__error("tune: a guard is breached already: nothing was changed");
		undo_all(tune, end_words[TUNE_FAILED]);
		return -err;
	}
	err = set_all(tune);
	if (err) {
		tune->end = TUNE_FAILED;
		undo_all(tune, end_words[TUNE_FAILED]);
		return -err;
	}
	tune->end = wait_for_end(tune, waits);
	return -finish(tune);
}

static void become_watcher(void)
{
	setsid();
	prctl(PR_SET_NAME, WATCHER_NAME);
	/* Where /proc/PID/cmdline looks. */
	strncpy(program_invocation_name, WATCHER_NAME, strlen(program_invocation_name));
	if (chdir("/"))
		return;
}

/* ---- the command ------------------------------------------------------------------- */

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* Until the watcher has ended. A signal only tells it to, by closing the pipe. */
static int wait_for_watcher(struct tune *tune, pid_t pid, int pidfd, int signals, int *life)
{
	struct pollfd waits[] = { { signals, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
	struct signalfd_siginfo info;
	int status;

	while (!waits[1].revents) {
		if (poll(waits, 2, -1) < 0 && errno != EINTR)
			break;
		if (waits[0].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
			tune->signal = (int)info.ssi_signo;
			cleanup__close(life);
			*life = -1;
		}
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	log__warn("tune: its watcher was killed; undoing instead of it");
	tune->end = TUNE_SIGNAL;
	return finish(tune);
}

int tune__hold(struct tune *tune)
{
	_cleanup_close_ int signals = -1, pidfd = -1, life = -1;
	int pipes[2];
	sigset_t set;
	pid_t pid;

	if (access(JOURNAL, F_OK))
		log__warn("tune: there is no " JOURNAL ": no journal keeps what is changed");
	/* Nobody may read what is said any more, and the undoing is still to come. */
	signal(SIGPIPE, SIG_IGN);
	block_signals(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || pipe2(pipes, O_CLOEXEC))
		return -errno;
	life = pipes[1];
	pid = fork();
	if (!pid) {
		close(life);
		become_watcher();
		_exit(watch(tune, pipes[0], signals));
	}
	close(pipes[0]);
	if (pid < 0)
		return -errno;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return wait_for_watcher(tune, pid, pidfd, signals, &life);
}

/* ---- what is left of others -------------------------------------------------------- */

/* Return: 1, 0 if nothing was written to it yet, -EINVAL if it is damaged, or -errno */
static int read_record(struct tune_setting *s, char *name, uint64_t *start)
{
	char text[4 * KNOB_TEXT + 1] = "", *lines[4] = { text };
	ssize_t length = pread(s->lock, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return length ? -errno : 0;
	for (int i = 1; i < 4; i++) {
		lines[i] = strchr(lines[i - 1], '\n');
		if (!lines[i])
			return -EINVAL;
		*lines[i]++ = '\0';
	}
	string__copy(name, KNOB_TEXT, lines[0]);
	STRING_COPY(s->before, lines[1]);
	STRING_COPY(s->set, lines[2]);
	return sscanf(lines[3], "%d %d %u %" SCNu64, &s->place.pid, &s->place.fd, &s->place.ioas,
		      start) == 4 ? 1 : -EINVAL;
}

static int undo_record(struct tune_setting *s)
{
	_cleanup_close_ int pidfd = -1;
	char name[KNOB_TEXT];
	uint64_t start = 0;
	int err = read_record(s, name, &start);

	if (!err)
		return 0;
	if (err > 0 && strcmp(name, "ioas")) {
		s->place.knob = knob__find(name);
		STRING_COPY(s->place.name, name);
		err = s->place.knob ? 1 : -EINVAL;
	}
	if (err < 0) {
		log__error("tune: " TUNE_DIR "/%s cannot be read (%s): set it by hand, then remove that file",
			   s->record, err == -EINVAL ? "it is damaged" : strerror(-err));
		return err;
	}
	s->state = TUNE_SET;
	if (s->place.knob)
		return undo_one(s, "left by a tune that was killed");
	snprintf(s->place.name, sizeof(s->place.name), "dirty_split of IOAS %u of process %d",
		 s->place.ioas, s->place.pid);
	pidfd = s->place.pidfd = (int)syscall(SYS_pidfd_open, s->place.pid, 0);
	/* The VM has ended, and with it the setting; another process may have its number. */
	if (pidfd < 0 || knobs__start_time(s->place.pid) != start)
		return 0;
	return undo_one(s, "left by a tune that was killed");
}

/* Return: 0, -EBUSY if a tune that runs holds it, -ENOENT if its holder has removed it, or -errno */
static int open_record(const char *name, struct tune_setting *s)
{
	char path[300];

	STRING_COPY(s->record, name);
	snprintf(path, sizeof(path), TUNE_DIR "/%s", name);
	s->lock = open_locked(path, 0);
	return s->lock == -EWOULDBLOCK ? -EBUSY : s->lock < 0 ? s->lock : 0;
}

/* Return: whether there was anything left; *err is the first that went wrong */
static bool undo_left(const char *name, int *err)
{
	struct tune_setting s = { .lock = -1 };
	int one = open_record(name, &s);

	if (one == -ENOENT)
		return false;
	if (one == -EBUSY) {
		log__info("tune: %s is held by a tune that runs", name);
		return false;
	}
	if (one) {
		log__error("tune: cannot open " TUNE_DIR "/%s (%s)", name, strerror(-one));
		*err = *err ?: one;
		return true;
	}
	one = undo_record(&s);
	if (!one)
		log__info("tune: %s is as it was before", s.record);
	if (!one || one == -ESTALE)
		drop_record(&s);
	cleanup__close(&s.lock);
	*err = *err ?: one;
	return true;
}

int tune__undo_left(void)
{
	DIR *dir = opendir(TUNE_DIR);
	struct dirent *entry;
	int err = 0, count = 0;

	if (!dir && errno != ENOENT) {
		err = -errno;
		log__error("tune: cannot look into " TUNE_DIR " (%s): whether anything is left to undo is not known",
			   strerror(-err));
		return err;
	}
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			count += undo_left(entry->d_name, &err);
	if (dir)
		closedir(dir);
	if (!count)
		log__info("tune: nothing is left to undo");
	return err;
}

void tune__warn_left(void)
{
	DIR *dir = opendir(TUNE_DIR);
	struct dirent *entry;
	struct stat info;

	while (dir && (entry = readdir(dir))) {
		struct tune_setting s = { .lock = -1 };

		if (entry->d_name[0] == '.' || open_record(entry->d_name, &s))
			continue;
		if (!fstat(s.lock, &info) && info.st_size)
			log__warn("tune: %s is still as a tune that was killed has left it; hwdbm tune --undo puts it back",
				  s.record);
		cleanup__close(&s.lock);
	}
	if (dir)
		closedir(dir);
}
