// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process handling for one child command. Not here: an event loop.
 */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long a command may take to stop by itself before it is killed. */
#define GRACE_MS 5000
#define GRACE_STEP_MS 10

static void give_terminal(pid_t group)
{
	if (!isatty(STDIN_FILENO))
		return;
	/* A background process that moves the terminal would be stopped otherwise. */
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, group);
	signal(SIGTTOU, SIG_DFL);
}

static void run_child(char **argv, int go, int failure, pid_t parent)
{
	sigset_t none;
	char byte;
	int err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	if (read(go, &byte, 1) != 1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	err = errno;
	while (write(failure, &err, sizeof(err)) < 0 && errno == EINTR)
		;
	_exit(127);
}

int child__prepare(struct child *child, char **argv)
{
	int go[2], failure[2];
	pid_t parent = getpid(), pid;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failure, O_CLOEXEC)) {
		int err = -errno;

		close(go[0]);
		close(go[1]);
		return err;
	}
	pid = fork();
	if (!pid) {
		close(go[1]);
		close(failure[0]);
		run_child(argv, go[0], failure[1], parent);
	}
	close(go[0]);
	close(failure[1]);
	if (pid < 0) {
		int err = -errno;

		close(go[1]);
		close(failure[0]);
		return err;
	}
	/* Done on both sides, so that neither can be early. */
	setpgid(pid, pid);
	*child = (struct child){ .pid = pid, .go = go[1], .failure = failure[0] };
	return 0;
}

static void close_pipes(struct child *child)
{
	if (child->go >= 0)
		close(child->go);
	if (child->failure >= 0)
		close(child->failure);
	child->go = -1;
	child->failure = -1;
}

int child__start(struct child *child)
{
	ssize_t got;
	int err = 0;

	give_terminal(child->pid);
	if (write(child->go, "", 1) != 1)
		err = errno;
	/* End of file means that exec closed the pipe: the command runs. */
	do {
		got = err ? 0 : read(child->failure, &err, sizeof(err));
	} while (got < 0 && errno == EINTR);
	close_pipes(child);
	if (err)
		child__stop(child);
	return -err;
}

bool child__reap(struct child *child)
{
	int status;

	if (!child->pid || child->ended)
		return child->ended;
	if (waitpid(child->pid, &status, WNOHANG) != child->pid)
		return false;
	child->ended = true;
	child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

void child__signal(const struct child *child, int signal)
{
	if (child->pid)
		kill(-child->pid, signal);
}

void child__stop(struct child *child)
{
	const struct timespec step = { .tv_nsec = GRACE_STEP_MS * 1000000L };

	if (!child->pid)
		return;
	close_pipes(child);
	child__signal(child, SIGTERM);
	child__signal(child, SIGCONT);
	for (int ms = 0; ms < GRACE_MS; ms += GRACE_STEP_MS) {
		/* The group outlives its leader while it has members. */
		if (child__reap(child) && kill(-child->pid, 0))
			break;
		nanosleep(&step, NULL);
	}
	child__signal(child, SIGKILL);
	for (int ms = 0; ms < GRACE_MS && !child__reap(child); ms += GRACE_STEP_MS)
		nanosleep(&step, NULL);
	if (isatty(STDIN_FILENO))
		give_terminal(getpgrp());
}
