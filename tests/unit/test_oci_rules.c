/* oci_spec_validate(): one row a rule, and what it must let pass. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "oci/spec.h"

#define DOC(inside) "{\n\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"},\n" inside "}"
#define LINUX(inside) DOC("\"linux\": {\n" inside "}")
/* namespaces, the rest on the line after */
#define NS(list, inside) LINUX("\"namespaces\": [" list "],\n" inside)
#define NEW(type) "{\"type\": \"" type "\"}"
#define JOIN(type, path) "{\"type\": \"" type "\", \"path\": \"" path "\"}"
#define MAP "[{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]"
#define MAPS "\"uidMappings\": " MAP ", \"gidMappings\": " MAP
#define MOUNT(inside) DOC("\"mounts\": [{\"destination\": \"/a\"},\n{\"destination\": \"/b\", " \
			  inside "}]")

struct row {
	const char *text, *message;     /* message NULL: passes */
};

static void check(const struct row *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct oci_spec s;
		struct err e = { 0 };

		if (oci_spec_parse("c", t[i].text, strlen(t[i].text), &s, &e) < 0)
			fail_msg("%s", e.msg);
		int r = oci_spec_validate(&s, &e);
		if (!t[i].message && r < 0)
			fail_msg("%s\ngives %s", t[i].text, e.msg);
		if (t[i].message && r >= 0)
			fail_msg("accepted: %s", t[i].text);
		if (t[i].message && strcmp(e.msg, t[i].message) != 0)
			fail_msg("%s\ngives    %s\nnot      %s", t[i].text, e.msg, t[i].message);
		oci_spec_release(&s);
	}
}

static void root(void **state)
{
	static const struct row t[] = {
		{ DOC("\"x\": 1"), NULL },
		{ "{\"ociVersion\": \"1.0.0\"}", "c:1: root: root must be specified" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void namespaces(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("pid") "," NEW("ipc"), "\"x\": 1"), NULL },
		{ NS(NEW("pid") ",\n" JOIN("pid", "/p"), "\"x\": 1"),
		  "c:5: linux.namespaces[1]: malformed spec file: duplicated ns \"pid\"" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void uts(void **state)
{
	static const struct row t[] = {
		{ DOC("\"hostname\": \"h\", \"domainname\": \"d\", \"linux\": {\"namespaces\": ["
		      NEW("uts") "]}"), NULL },
		{ DOC("\"hostname\": \"h\""),
		  "c:3: hostname: unable to set hostname without a private UTS namespace" },
		{ DOC("\"domainname\": \"d\""),
		  "c:3: domainname: unable to set domainname without a private UTS namespace" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void masks(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("mount"),
		  "\"maskedPaths\": [\"/a\"], \"readonlyPaths\": [\"/b\"]"), NULL },
		{ LINUX("\"maskedPaths\": []"), NULL },
		{ LINUX("\"maskedPaths\": [\"/a\"]"),
		  "c:4: linux.maskedPaths: unable to restrict sys "
		  "entries without a private MNT namespace" },
		{ LINUX("\"readonlyPaths\": [\"/a\"]"),
		  "c:4: linux.readonlyPaths: unable to restrict "
		  "sys entries without a private MNT namespace" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void user(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("user"), MAPS), NULL },
		{ NS(JOIN("user", "/u"), "\"x\": 1"), NULL },
		/* containerd, CRI-O and Podman do this */
		{ NS(JOIN("user", "/u"), MAPS), NULL },
		/* tools leave them in; they map nothing */
		{ LINUX(MAPS), NULL },
		/* the caller's own ids */
		{ NS(NEW("user"), "\"x\": 1"), NULL },
		{ NS(NEW("user"), "\"gidMappings\": " MAP),
		  "c:3: linux.uidMappings: user namespaces "
		  "enabled, but no uid mappings found" },
		{ NS(NEW("user"), "\"uidMappings\": " MAP),
		  "c:3: linux.gidMappings: user namespaces "
		  "enabled, but no gid mappings found" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void time_offsets(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("time"), "\"timeOffsets\": {\"monotonic\": {\"secs\": 1}}"), NULL },
		{ LINUX("\"timeOffsets\": {}"), NULL },
		{ LINUX("\"timeOffsets\": {\"boottime\": {\"secs\": 1}}"),
		  "c:4: linux.timeOffsets: "
		  "time namespace offsets specified, but time namespace isn't enabled in the "
		  "config" },
		{ NS(JOIN("time", "/t"), "\"timeOffsets\": {\"monotonic\": {}}"),
		  "c:5: linux.timeOffsets: the offsets of a joined time namespace cannot be "
		  "changed" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void mounts(void **state)
{
	static const struct row t[] = {
		{ MOUNT("\"type\": \"tmpfs\""), NULL },
		{ MOUNT("\"options\": [\"rbind\"], " MAPS), NULL },
		{ MOUNT("\"type\": \"bind\", " MAPS), NULL },
		{ MOUNT("\"type\": \"tmpfs\", " MAPS),
		  "c:4: mounts[1]: invalid mount: id-mapped mounts are only "
		  "supported for bind-mounts" },
		{ MOUNT("\"options\": [\"idmap\"]"),
		  "c:4: mounts[1]: invalid mount: id-mapped mounts are only "
		  "supported for bind-mounts" },
		{ MOUNT("\"options\": [\"bind\"], \"uidMappings\": " MAP),
		  "c:4: mounts[1]: invalid mount: id-mapped "
		  "mounts must have both uid and gid mappings specified" },
		{ MOUNT("\"options\": [\"bind\"], \"gidMappings\": " MAP),
		  "c:4: mounts[1]: invalid mount: id-mapped "
		  "mounts must have both uid and gid mappings specified" },
		{ MOUNT("\"options\": [\"bind\", \"ridmap\"]"),
		  "c:4: mounts[1]: an id-mapped mount needs mappings or a user namespace" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void net_devices(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("network"),
		  "\"netDevices\": {\"a\": {}, \"b\": {\"name\": \"c\"}}"), NULL },
		{ LINUX("\"netDevices\": {\"a\": {}}"),
		  "c:4: linux.netDevices: unable to move network "
		  "devices without a NET namespace" },
		{ NS(NEW("network"), "\"netDevices\": {\"a/b\": {}}"),
		  "c:5: linux.netDevices: invalid network device name \"a/b\"" },
		{ NS(NEW("network"), "\"netDevices\": {\"\": {}}"),
		  "c:5: linux.netDevices: invalid network device name \"\"" },
		{ NS(NEW("network"), "\"netDevices\": {\"a\": {\"name\": \"sixteen-letters-\"}}"),
		  "c:5: linux.netDevices: invalid network device name \"sixteen-letters-\"" },
		{ NS(NEW("network"), "\"netDevices\": {\"a\": {\"name\": \"..\"}}"),
		  "c:5: linux.netDevices: invalid network device name \"..\"" },
		{ NS(NEW("network"), "\"netDevices\": {\"a\": {}, \"b\": {\"name\": \"a\"}}"),
		  "c:5: linux.netDevices: two devices named \"a\"" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void sysctls(void **state)
{
	static const struct row t[] = {
		{ NS(NEW("network") "," NEW("ipc") "," NEW("uts"), "\"sysctl\": {"
		     "\"net.ipv4.ip_forward\": \"1\", \"net/ipv4/conf/eth0.1/forwarding\": \"1\","
		     "\"kernel.sem\": \"1\", \"kernel/msgmax\": \"1\","
		     "\"fs.mqueue.msg_max\": \"1\", \"kernel.domainname\": \"d\"}"), NULL },
		{ LINUX("\"sysctl\": {\"net.ipv4.ip_forward\": \"1\"}"),
		  "c:4: linux.sysctl: sysctl "
		  "\"net.ipv4.ip_forward\" not allowed in host network namespace" },
		{ NS(JOIN("network", "/proc/self/ns/net"), "\"sysctl\": {\"net.x\": \"1\"}"),
		  "c:5: linux.sysctl: sysctl \"net.x\" not allowed in host network namespace" },
		{ NS(JOIN("network", "/proc/self/ns/gone"), "\"sysctl\": {\"net.x\": \"1\"}"),
		  "network namespace path /proc/self/ns/gone: no such file or directory" },
		{ LINUX("\"sysctl\": {\"kernel.shmmax\": \"1\"}"), "c:4: linux.sysctl: sysctl "
		  "\"kernel.shmmax\" is not allowed in the hosts ipc namespace" },
		{ NS(JOIN("ipc", "/proc/self/ns/ipc"), "\"sysctl\": {\"fs.mqueue.x\": \"1\"}"),
		  "c:5: linux.sysctl: sysctl \"fs.mqueue.x\" is not allowed in the hosts ipc "
		  "namespace" },
		{ LINUX("\"sysctl\": {\"kernel.domainname\": \"1\"}"), "c:4: linux.sysctl: sysctl "
		  "\"kernel.domainname\" is not in a separate kernel namespace" },
		{ NS(NEW("uts"), "\"sysctl\": {\"kernel.hostname\": \"1\"}"),
		  "c:5: linux.sysctl: sysctl "
		  "\"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" "
		  "field" },
		{ "{\"ociVersion\": \"1.0.2\", "
		  "\"root\": {\"path\": \"r\"}, \"domainname\": \"a\",\n"
		  "\"linux\": {\"namespaces\": [{\"type\": \"uts\"}],\n"
		  "\"sysctl\": {\"kernel.domainname\": \"a\"}}}", NULL },
		{ "{\"ociVersion\": \"1.0.2\", "
		  "\"root\": {\"path\": \"r\"}, \"domainname\": \"a\",\n"
		  "\"linux\": {\"namespaces\": [{\"type\": \"uts\"}],\n"
		  "\"sysctl\": {\"kernel.domainname\": \"b\"}}}", "c:3: linux.sysctl: sysctl "
		  "\"kernel.domainname\" conflicts with the OCI \"domainname\" field" },
		{ LINUX("\"sysctl\": {\"vm.swappiness\": \"1\"}"), "c:4: linux.sysctl: sysctl "
		  "\"vm.swappiness\" is not in a separate kernel namespace" },
		{ NS(NEW("network"), "\"sysctl\": {\"net/../kernel/core_pattern\": \"x\"}"),
		  "c:5: linux.sysctl: sysctl \"net/../kernel/core_pattern\" contains an "
		  "invalid path: it is not a name below /proc/sys" },
		{ NS(NEW("network"), "\"sysctl\": {\"net.//.kernel.core_pattern\": \"x\"}"),
		  "c:5: linux.sysctl: sysctl \"net.//.kernel.core_pattern\" contains an "
		  "invalid path: it is not a name below /proc/sys" },
	};

	(void)state;
	check(t, ARRAY_LEN(t));
}

static void sysctl_paths(void **state)
{
	static const struct {
		const char *key, *path;         /* path NULL: refused */
	} t[] = {
		{ "kernel.sem", "kernel/sem" },
		{ "kernel/sem", "kernel/sem" },
		{ "net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter" },
		{ "net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter" },
		{ "single", "single" },
		{ "", NULL }, { ".", NULL }, { "/", NULL }, { "/kernel/sem", NULL }, { "a.", NULL },
		{ "a..b", NULL }, { "a/../b", NULL }, { "a/./b", NULL }, { "a/..", NULL },
		{ "../a", NULL }, { "a.//", NULL }, { "a./", NULL },
	};
	char path[64], tiny[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int r = oci_sysctl_path(t[i].key, path, sizeof(path));

		if (r != (t[i].path ? 0 : -EINVAL))
			fail_msg("%s gives %d", t[i].key, r);
		if (t[i].path)
			assert_string_equal(path, t[i].path);
	}
	assert_int_equal(oci_sysctl_path("a.bc", tiny, sizeof(tiny)), -ENAMETOOLONG);
	assert_int_equal(oci_sysctl_path("a.b", tiny, sizeof(tiny)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(uts),
		cmocka_unit_test(masks),
		cmocka_unit_test(user),
		cmocka_unit_test(time_offsets),
		cmocka_unit_test(mounts),
		cmocka_unit_test(net_devices),
		cmocka_unit_test(sysctls),
		cmocka_unit_test(sysctl_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
