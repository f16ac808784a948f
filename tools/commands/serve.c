// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm serve: metrics, the report and an index page over HTTP. Everything is made when it
 * is asked for, by the one thread of the HTTP library, from what the recordings hold at
 * that moment. Not here: any form of output.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/answer.h"
#include "../output/follow.h"
#include "../output/html.h"
#include "../output/metrics.h"
#include "../output/svg.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_LISTEN "127.0.0.1:9742"
#define CONNECTIONS_MAX 32
#define TIMEOUT_SECONDS 10

struct serve_options {
	const char *input;
	const char *listen;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXT, offsetof(struct serve_options, input), "RUN",
	  "a recording or a run folder, complete or still being written" },
	{ "listen", 'l', OPTION_TEXT, offsetof(struct serve_options, listen), "ADDR:PORT",
	  "where to listen (" DEFAULT_LISTEN "); port 0 takes a free one" },
};

static const struct command_spec spec = {
	.name = "serve",
	.usage = "[OPTIONS] [RUN...]",
	.summary = "Serves /metrics for Prometheus, /report and an index page, of recordings or run\n"
		   "folders, until interrupted. They are about what IOMMUs report; what KVM and devices\n"
		   "do, hwdbm report shows when a recording is complete.",
	.notes = "There is no authentication: other addresses than the loopback's are for trusted\n"
		 "networks. Costs one read of what was recorded since the last request.\n"
		 "Exit status: 0 when interrupted; 1 if it cannot start; 2 for bad options.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct server {
	struct follow **follows;
	struct run **runs;
	size_t count;
};

static void free_server(struct server *server)
{
	for (size_t i = 0; i < server->count; i++)
		follow__close(server->follows[i]);
	free(server->follows);
	free(server->runs);
}

/* ---- pages ------------------------------------------------------------------------- */

static int put_metrics(FILE *out, const struct server *server)
{
	return metrics__write(out, server->runs, server->count);
}

static int put_report(FILE *out, const struct server *server)
{
	_cleanup_free_ char *answer = answer__write(server->runs, server->count);

	return answer ? html__write(out, server->runs, server->count, answer, NULL) : -ENOMEM;
}

static int put_index(FILE *out, const struct server *server)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
	      "<meta name=\"color-scheme\" content=\"light dark\"><title>hwdbm</title>"
	      "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:2em auto;padding:0 1em}"
	      "code{overflow-wrap:anywhere}</style></head>\n<body><h1>hwdbm</h1>\n"
	      "<p><a href=\"/report\">Report</a> &middot; <a href=\"/metrics\">Metrics</a></p>\n<ul>\n",
	      out);
	for (size_t i = 0; i < server->count; i++) {
		const struct run_samples *samples = &server->runs[i]->samples;

		fputs("<li><code>", out);
		html__escape(out, follow__path(server->follows[i]));
		fprintf(out, "</code>: %s, %zu syncs by IOMMUs",
			samples->has_end ? "complete" : samples->has_header ? "being written" :
			"nothing recorded yet", server->runs[i]->sync_count);
		if (samples->other_sync_count)
			fprintf(out, ", and %zu by KVM or devices, which hwdbm report shows",
				samples->other_sync_count);
		fputs("</li>\n", out);
	}
	fputs("</ul></body></html>\n", out);
	return 0;
}

static const struct page {
	const char *path;
	const char *type;
	int (*put)(FILE *out, const struct server *server);
} pages[] = {
	{ "/", "text/html; charset=utf-8", put_index },
	{ "/metrics", METRICS_CONTENT_TYPE, put_metrics },
	{ "/report", "text/html; charset=utf-8", put_report },
};

/* ---- requests ---------------------------------------------------------------------- */

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned int status,
				 const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static int refresh(struct server *server)
{
	int err = 0;

	for (size_t i = 0; !err && i < server->count; i++) {
		err = follow__update(server->follows[i]);
		server->runs[i] = follow__run(server->follows[i]);
		if (err)
			log__error("serve: cannot read %s (%s)", follow__path(server->follows[i]),
				   strerror(-err));
	}
	return err;
}

static int render(const struct page *page, const struct server *server, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);
	int err;

	if (!out)
		return -ENOMEM;
	err = page->put(out, server);
	if (fclose(out) && !err)
		err = -ENOMEM;
	return err;
}

static enum MHD_Result send_page(struct MHD_Connection *connection, struct server *server,
				 const struct page *page)
{
	_cleanup_free_ char *text = NULL;
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t size = 0;

	if (refresh(server) || render(page, server, &text, &size))
		return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				 "the recording cannot be read\n");
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	text = NULL;
	MHD_add_response_header(response, "Content-Type", page->type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	static int seen;

	(void)version;
	(void)upload;
	/* The library calls once with the headers, then with each part of a body. */
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(url, pages[i].path))
			return send_page(connection, context, &pages[i]);
	return send_text(connection, MHD_HTTP_NOT_FOUND, "there is /, /metrics and /report\n");
}

/* ---- the address ------------------------------------------------------------------- */

/* "127.0.0.1:9742", "[::1]:9742", "localhost:9742" into host and port; @text is changed. */
static int split_address(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');
	size_t length;

	if (!colon || colon == text || !colon[1])
		return -EINVAL;
	*colon = '\0';
	length = strlen(text);
	*port = colon + 1;
	*host = text;
	if (text[0] == '[' && text[length - 1] == ']') {
		text[length - 1] = '\0';
		*host = text + 1;
	} else if (strchr(text, ':')) {
		return -EINVAL;
	}
	return strspn(*port, "0123456789") == strlen(*port) && strlen(*port) <= 5 &&
	       atoi(*port) <= 65535 ? 0 : -EINVAL;
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

static int open_socket(const struct addrinfo *address)
{
	_cleanup_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1, taken;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, CONNECTIONS_MAX))
		return -errno;
	taken = fd;
	fd = -1;
	return taken;
}

/* Return: a listening socket, or -errno after a message. */
static int listen_on(const char *where)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	_cleanup_free_ char *text = strdup(where);
	struct addrinfo *address;
	char *host, *port;
	int err;

	if (!text)
		return -ENOMEM;
	if (split_address(text, &host, &port)) {
		log__error("serve: --listen %s is not ADDR:PORT, such as " DEFAULT_LISTEN, where);
		return -EINVAL;
	}
	err = getaddrinfo(host, port, &hints, &address);
	if (err) {
		log__error("serve: cannot listen on %s (%s)", where, gai_strerror(err));
		return -EADDRNOTAVAIL;
	}
	err = open_socket(address);
	if (err < 0)
		log__error("serve: cannot listen on %s (%s); choose another address with --listen",
			   where, strerror(-err));
	else if (!is_loopback(address->ai_addr))
		log__warn("serve: %s can be reached from other machines, without a password", where);
	freeaddrinfo(address);
	return err;
}

static void say_where(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&address, &length) ||
	    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	log__info(strchr(host, ':') ? "serving http://[%s]:%s/" : "serving http://%s:%s/", host, port);
}

/* ---- the command ------------------------------------------------------------------- */

static int follow_all(struct server *server, const char *input, int count, char **paths)
{
	int all = count + (input ? 1 : 0);

	server->follows = calloc(all, sizeof(*server->follows));
	server->runs = calloc(all, sizeof(*server->runs));
	if (!server->follows || !server->runs)
		return -ENOMEM;
	for (int i = 0; i < all; i++) {
		const char *path = input && !i ? input : paths[input ? i - 1 : i];
		int err = follow__open(path, &server->follows[server->count]);

		if (err) {
			log__error("serve: cannot read %s (%s)", path, strerror(-err));
			return err;
		}
		server->runs[server->count] = follow__run(server->follows[server->count]);
		server->count++;
	}
	return 0;
}

static int serve_until_signal(struct server *server, int fd)
{
	struct MHD_Daemon *daemon;
	sigset_t signals;
	int signal;

	/* Before the library's thread starts, so that only sigwait() gets them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, server,
				  MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_SECONDS,
				  MHD_OPTION_END);
	if (!daemon) {
		close(fd);
		log__error("serve: the HTTP library cannot start (%s)", strerror(errno));
		return COMMAND_FAILED;
	}
	say_where(fd);
	sigwait(&signals, &signal);
	MHD_stop_daemon(daemon);
	return COMMAND_OK;
}

int serve__main(int argc, char **argv)
{
	_cleanup_(free_server) struct server server = { 0 };
	struct serve_options options = { .listen = DEFAULT_LISTEN };
	int first = options__parse(&spec, &options, argc, argv);
	int fd;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (!options.input && first == argc) {
		log__error("serve: which recording? give one with -i; see hwdbm serve --help");
		return COMMAND_USAGE;
	}
	if (follow_all(&server, options.input, argc - first, argv + first))
		return COMMAND_FAILED;
	fd = listen_on(options.listen);
	if (fd < 0)
		return fd == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED;
	return serve_until_signal(&server, fd);
}
