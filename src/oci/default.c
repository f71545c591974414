/* oci/default.c - see default.h */
#include "oci/default.h"

#include <assert.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "oci/spec.h"

#define TEXT_BYTES_MAX 16384

#define CAPS "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const char process_text[] =
"\"process\": {"
"	\"terminal\": true,"
"	\"user\": {\"uid\": 0, \"gid\": 0},"
"	\"args\": [\"sh\"],"
"	\"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
"		\"TERM=xterm\"],"
"	\"cwd\": \"/\","
"	\"capabilities\": {\"bounding\": " CAPS ", \"effective\": " CAPS ","
"		\"permitted\": " CAPS ", \"ambient\": " CAPS "},"
"	\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],"
"	\"noNewPrivileges\": true"
"},"
"\"root\": {\"path\": \"rootfs\", \"readonly\": true},"
"\"hostname\": \"isle\",";

/* But for /dev/pts, /sys and what follows it: they differ without privileges. */
static const char mounts_text[] =
"{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},"
"{\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
"	\"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},";

static const char more_mounts_text[] =
"{\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\","
"	\"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},"
"{\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\","
"	\"options\": [\"nosuid\", \"noexec\", \"nodev\"]},";

static const char cgroup_mount_text[] =
"{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\","
"	\"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}";

static const char paths_text[] =
"\"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\","
"	\"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\","
"	\"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"],"
"\"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\","
"	\"/proc/sysrq-trigger\"]";

static void add_mounts(struct buf *b, bool rootless)
{
	buf_printf(b, "\"mounts\": [%s", mounts_text);
	/* Group 5 (tty) has no mapping in a user namespace of one id. */
	buf_printf(b, "{\"destination\": \"/dev/pts\", \"type\": \"devpts\","
		   "\"source\": \"devpts\", \"options\": [\"nosuid\", \"noexec\","
		   "\"newinstance\", \"ptmxmode=0666\", \"mode=0620\"%s]},",
		   rootless ? "" : ", \"gid=5\"");
	buf_add_str(b, more_mounts_text);
	/* A fresh sysfs needs a network namespace of its own. */
	buf_printf(b, "{\"destination\": \"/sys\", \"type\": \"%s\", \"source\": \"%s\","
		   "\"options\": [%s\"nosuid\", \"noexec\", \"nodev\", \"ro\"]},",
		   rootless ? "none" : "sysfs", rootless ? "/sys" : "sysfs",
		   rootless ? "\"rbind\", " : "");
	buf_printf(b, "%s],", cgroup_mount_text);
}

#define MAP_TEXT "{\"containerID\": 0, \"hostID\": %u, \"size\": 1}"

static void add_linux(struct buf *b, bool rootless, uid_t uid, gid_t gid)
{
	/* On v1 a cgroup namespace hides nothing that the mount does not show. */
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;

	buf_add_str(b, "\"linux\": {");
	if (rootless)
		buf_printf(b, "\"uidMappings\": [" MAP_TEXT "], \"gidMappings\": [" MAP_TEXT "],",
			   uid, gid);
	else
		buf_add_str(b, "\"resources\": {\"devices\": "
			    "[{\"allow\": false, \"access\": \"rwm\"}]},");
	buf_add_str(b, "\"namespaces\": [{\"type\": \"pid\"},");
	if (!rootless)
		buf_add_str(b, "{\"type\": \"network\"},");
	buf_add_str(b, "{\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": \"mount\"}");
	if (v2)
		buf_add_str(b, ", {\"type\": \"cgroup\"}");
	if (rootless)
		buf_add_str(b, ", {\"type\": \"user\"}");
	buf_printf(b, "], %s}", paths_text);
}

json_t *oci_default_spec(bool rootless, uid_t uid, gid_t gid)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);

	buf_printf(&b, "{\"ociVersion\": \"%s\", %s", OCI_VERSION, process_text);
	add_mounts(&b, rootless);
	add_linux(&b, rootless, uid, gid);
	buf_add_str(&b, "}");

	json_t *j = json_loadb(b.data, b.len, 0, NULL);
	assert(j);              /* the text is our own */
	return j;
}
