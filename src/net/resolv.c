/* net/resolv.c - an instance's resolv.conf.  See net.h and resolv.conf(5) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/net.h"

#define RESOLV_BYTES_MAX (64u << 10)

/* The value of a line "keyword value", or NULL. */
static const char *value_of(const char *line, const char *keyword)
{
	size_t n = strlen(keyword);

	if (strncmp(line, keyword, n) != 0 || (line[n] != ' ' && line[n] != '\t'))
		return NULL;
	line += n;
	return line + strspn(line, " \t");
}

static bool loopback_server(const char *line)
{
	const char *server = value_of(line, "nameserver");
	char text[ADDR_TEXT_MAX];
	struct addr a;
	size_t n = server ? strcspn(server, " \t%") : 0;

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, server, n);
	text[n] = 0;
	return addr_parse(text, &a) == 0 && addr_is_loopback(&a);
}

/* Lines of the host's file that the user has not replaced.  Returns how many servers. */
static unsigned add_host_lines(struct buf *out, char *text, bool servers, bool search,
			       bool options, bool keep_loopback)
{
	unsigned n = 0;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		bool server = value_of(line, "nameserver") != NULL;
		bool domain = value_of(line, "search") || value_of(line, "domain");
		bool option = value_of(line, "options") != NULL;
		if (!(server && servers) && !(domain && search) && !(option && options))
			continue;
		if (server && !keep_loopback && loopback_server(line))
			continue;
		buf_printf(out, "%s\n", line);
		n += server;
	}
	return n;
}

static void add_list(struct buf *out, const char *keyword, const struct oci_strv *l)
{
	/* "--dns-search ." is Docker's word for none. */
	if (l->n == 0 || (l->n == 1 && strcmp(l->v[0], ".") == 0))
		return;
	buf_add_str(out, keyword);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, " %s", l->v[i]);
	buf_add_str(out, "\n");
}

static int add_host(struct buf *out, bool servers, bool search, bool options,
		    bool host_network)
{
	/* systemd-resolved's own list: /etc/resolv.conf names only its stub on 127.0.0.53. */
	static const char *const files[] = {
		"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && n == 0; i++) {
		struct buf in __attribute__((cleanup(buf_release))) = BUF_INIT(RESOLV_BYTES_MAX);
		size_t before = out->len;
		int r = file_read_at(AT_FDCWD, files[i], &in);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		n = in.data ? add_host_lines(out, in.data, servers, search, options,
					     host_network) : 0;
		/* The next file says the rest better, if it has a server. */
		if (n == 0 && servers && i + 1 < ARRAY_LEN(files) &&
		    access(files[i + 1], R_OK) == 0)
			out->len = before;
		else if (!servers)
			break;
	}
	if (servers && n == 0)
		buf_add_str(out, "# the host has no name server that can be reached from here; "
			    "see --dns\n");
	return 0;
}

int net_write_resolv(const char *path, const struct oci_strv *servers,
		     const struct oci_strv *search, const struct oci_strv *options,
		     bool host_network, struct err *e)
{
	static const struct oci_strv none = { 0 };
	struct buf out __attribute__((cleanup(buf_release))) = BUF_INIT(RESOLV_BYTES_MAX * 2);

	servers = servers ? servers : &none;
	search = search ? search : &none;
	options = options ? options : &none;
	int r = add_host(&out, servers->n == 0, search->n == 0, options->n == 0, host_network);
	if (r < 0)
		return err_sys(e, -r, "read the host's resolv.conf");
	for (size_t i = 0; i < servers->n; i++) {
		struct addr a;
		if (addr_parse(servers->v[i], &a) < 0)
			return err_set(e, EINVAL, "--dns: \"%s\" is not an IP address",
				       servers->v[i]);
		buf_printf(&out, "nameserver %s\n", servers->v[i]);
	}
	add_list(&out, "search", search);
	add_list(&out, "options", options);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
				 0644);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	r = out.len ? fd_write_all(fd, out.data, out.len) : 0;
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}
