/* tests/unit/test_net.c - addresses, leases, ports and rule lines of src/net */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/net.h"
#include "net/rules.h"

static char dir[] = "/tmp/isle-test-net.XXXXXX";
static char run_dir[64], file[64];
static struct net net;

static int setup(void **state)
{
	struct err e;
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	(void)snprintf(file, sizeof(file), "%s/isle.db", dir);
	/* "true": rules are accepted and nothing is changed. */
	net = (struct net){ .bundles = dir, .run_dir = run_dir, .nft_helper = "/bin/true",
			    .bridge = "isle0" };
	return db_open(file, &net_schema, 1, 1, &net.db, &e);
}

static int teardown(void **state)
{
	static const char *const names[] = { "", "-wal", "-shm", "-boot" };
	(void)state;
	db_close(net.db);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_FREE char *path = xasprintf("%s%s", file, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static void subnets(void **state)
{
	struct subnet s, other;
	struct addr a;
	struct err e;
	char text[ADDR_TEXT_MAX];
	uint32_t number;

	(void)state;
	assert_int_equal(subnet_parse("10.1.2.3/22", AF_INET, &s, &e), 0);
	subnet_format(&s, text);
	assert_string_equal(text, "10.1.0.0/22");
	assert_int_equal(subnet_last(&s), 1022);
	a = subnet_host(&s, 259);
	addr_format(&a, text);
	assert_string_equal(text, "10.1.1.3");
	assert_int_equal(subnet_number(&s, &a, &number), 0);
	assert_int_equal(number, 259);
	assert_int_equal(subnet_parse("10.1.3.0/24", AF_INET, &other, &e), 0);
	assert_true(subnet_overlaps(&s, &other));
	assert_int_equal(subnet_parse("10.1.4.0/24", AF_INET, &other, &e), 0);
	assert_false(subnet_overlaps(&s, &other));
	assert_int_equal(subnet_parse("fd00::/64", AF_INET6, &s, &e), 0);
	a = subnet_host(&s, 0x10002);
	addr_format(&a, text);
	assert_string_equal(text, "fd00::1:2");
}

static void bad_subnets(void **state)
{
	static const char *const bad[] = {
		"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "/8",
		"10.0.0.0/8x", "fd00::/64", "a/b", "10.0.0.0/ 8",
	};
	struct subnet s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(subnet_parse(bad[i], AF_INET, &s, &e), -EINVAL);
}

static int plan(const char *instance, const char *network, const char *ip, char *ret,
		struct net_port *ports, size_t n, struct err *e)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	struct net_endpoint ep = {
		.instance = instance, .name = instance, .network = network, .ip4 = ip,
	};
	int r = net_plan(&net, &ep, ports, n, &a, e);

	if (r == 0 && ret)
		(void)snprintf(ret, ADDR_TEXT_MAX, "%s %s", ep.ip4, ep.ifname);
	return r;
}

static int make(const char *name, const char *subnet, struct err *e)
{
	struct net_create c = { .name = name, .subnet4 = subnet };

	return net_network_create(&net, &c, e);
}

static void leases(void **state)
{
	struct err e;
	char text[ADDR_TEXT_MAX];

	(void)state;
	/* Room for three: .1 is the gateway's, .2 to .6 are the instances'. */
	assert_int_equal(make("small", "10.66.0.0/29", &e), 0);
	assert_int_equal(plan("a", "small", NULL, text, NULL, 0, &e), 0);
	assert_string_equal(text, "10.66.0.2 eth0");
	assert_int_equal(plan("a", "small", NULL, text, NULL, 0, &e), 0);
	assert_string_equal(text, "10.66.0.2 eth0");
	assert_int_equal(plan("b", "small", "10.66.0.4", NULL, NULL, 0, &e), 0);
	assert_int_equal(plan("c", "small", "10.66.0.4", NULL, NULL, 0, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "10.66.0.4"));
	assert_int_equal(plan("c", "small", "10.66.0.1", NULL, NULL, 0, &e), -EEXIST);
	assert_int_equal(plan("c", "small", "10.66.0.7", NULL, NULL, 0, &e), -EINVAL);
	assert_int_equal(plan("c", "small", "10.67.0.2", NULL, NULL, 0, &e), -EINVAL);
	assert_int_equal(plan("c", "small", NULL, text, NULL, 0, &e), 0);
	assert_string_equal(text, "10.66.0.3 eth0");
	assert_int_equal(plan("d", "small", NULL, text, NULL, 0, &e), 0);
	assert_string_equal(text, "10.66.0.5 eth0");
	assert_int_equal(plan("e", "small", NULL, text, NULL, 0, &e), 0);
	assert_int_equal(plan("f", "small", NULL, text, NULL, 0, &e), -ENOSPC);
	assert_non_null(strstr(e.msg, "10.66.0.0/29"));
	assert_int_equal(db_run(net.db, &e, "DELETE FROM endpoints WHERE instance = 'c'", ""), 1);
	assert_int_equal(plan("f", "small", NULL, text, NULL, 0, &e), 0);
	assert_string_equal(text, "10.66.0.3 eth0");
	assert_int_equal(make("over", "10.66.0.0/16", &e), -EEXIST);
	assert_int_equal(make("small", "10.68.0.0/24", &e), -EEXIST);
	assert_int_equal(make("Bad name", NULL, &e), -EINVAL);
	assert_int_equal(net_network_remove(&net, "bridge", &e), -EPERM);
	assert_int_equal(net_network_remove(&net, "nobody", &e), -ENOENT);
	assert_int_equal(net_network_remove(&net, "small", &e), -EBUSY);
}

static void ports(void **state)
{
	struct net_port p[] = {
		{ .host_ip = "127.0.0.1", .host_port = 0, .port = 80, .protocol = "tcp" },
		{ .host_ip = "", .host_port = 0, .port = 53, .protocol = "udp" },
	};
	struct net_port again = p[0];
	CLEANUP(buf_release) struct buf lines = BUF_INIT(4096);
	struct err e;

	(void)state;
	assert_int_equal(make("web", "10.66.1.0/24", &e), 0);
	assert_int_equal(plan("w", "web", NULL, NULL, p, 2, &e), 0);
	assert_in_range(p[0].host_port, 32768, 60999);
	again.host_port = p[0].host_port;
	assert_int_equal(plan("x", "web", NULL, NULL, &again, 1, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "instance w"));
	again.host_ip = "0.0.0.0";
	assert_int_equal(plan("x", "web", NULL, NULL, &again, 1, &e), -EADDRINUSE);
	again.host_ip = "127.0.0.2";
	assert_int_equal(plan("x", "web", NULL, NULL, &again, 1, &e), 0);
	again = (struct net_port){ .host_ip = "nowhere", .port = 1, .protocol = "tcp" };
	assert_int_equal(plan("y", "web", NULL, NULL, &again, 1, &e), -EINVAL);
	/* A refused port takes the lease back with it. */
	again = (struct net_port){ .host_ip = "", .port = 1, .protocol = "sctp" };
	assert_int_equal(plan("y", "web", NULL, NULL, &again, 1, &e), -EINVAL);
	assert_int_equal(rules_ports(net.db, &lines, "y", NULL, true, &e), 0);
	assert_int_equal(rules_ports(net.db, &lines, "w", NULL, true, &e), 2);
	CLEANUP_FREE char *tcp = xasprintf("port tcp 127.0.0.1 %u 10.66.1.2 80\n", p[0].host_port);
	CLEANUP_FREE char *udp = xasprintf("port udp 0.0.0.0 %u 10.66.1.2 53\n", p[1].host_port);
	assert_non_null(strstr(lines.data, tcp));
	assert_non_null(strstr(lines.data, udp));
}

static void resolv(void **state)
{
	const char *servers[] = { "192.0.2.53" }, *search[] = { "." }, *bad[] = { "dns.test" };
	const struct oci_strv none = { 0 }, s = { servers, 1 }, d = { search, 1 }, b = { bad, 1 };
	CLEANUP_FREE char *path = xasprintf("%s/resolv.conf", dir);
	char text[256] = "";
	struct err e;

	(void)state;
	assert_int_equal(net_write_resolv(path, &s, &d, &none, false, &e), 0);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	(void)!fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	assert_non_null(strstr(text, "nameserver 192.0.2.53\n"));
	assert_null(strstr(text, "search"));
	assert_int_equal(net_write_resolv(path, &b, &d, &none, false, &e), -EINVAL);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subnets),
		cmocka_unit_test(bad_subnets),
		cmocka_unit_test_setup_teardown(leases, setup, teardown),
		cmocka_unit_test_setup_teardown(ports, setup, teardown),
		cmocka_unit_test_setup_teardown(resolv, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
