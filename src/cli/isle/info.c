/* cli/isle/info.c - isle info: the host and the store in figures. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/version.h"
#include "cli/isle/command.h"
#include "cli/isle/output.h"
#include "engine/instance.h"

#define CGROUP2_MAGIC 0x63677270        /* statfs(2) */

struct info_options {
	const char *format;
};

static const struct option options[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct info_options, format), "TEMPLATE",
	  "print by a template, or json", NULL },
	OPTION_HELP,
};

/* os-release(5): PRETTY_NAME, or the kernel's name. */
static json_t *system_name(const struct utsname *u)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 16);
	static const char key[] = "PRETTY_NAME=\"";

	if (file_read_at(AT_FDCWD, "/etc/os-release", &b) == 0 && b.data) {
		const char *p = strstr(b.data, key);

		if (p) {
			p += sizeof(key) - 1;
			return json_stringn(p, strcspn(p, "\"\n"));
		}
	}
	return json_string(u->sysname);
}

static const char *cgroup_version(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		return "none";
	return fs.f_type == CGROUP2_MAGIC ? "2" : "1";
}

static int count_instances(struct engine *eng, json_t *j, struct err *e)
{
	struct instance *list;
	size_t n, running = 0, paused = 0;

	int r = instance_list(eng, &list, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		running += list[i].status.state == INSTANCE_RUNNING ||
			   list[i].status.state == INSTANCE_RESTARTING;
		paused += list[i].status.state == INSTANCE_PAUSED;
		instance_release(&list[i]);
	}
	free(list);
	json_object_set_new(j, "Containers", json_integer((json_int_t)n));
	json_object_set_new(j, "ContainersRunning", json_integer((json_int_t)running));
	json_object_set_new(j, "ContainersPaused", json_integer((json_int_t)paused));
	json_object_set_new(j, "ContainersStopped",
			    json_integer((json_int_t)(n - running - paused)));
	return 0;
}

static int count_images(struct engine *eng, json_t *j, struct err *e)
{
	struct arena a = { 0 };
	struct image *list;
	size_t n;

	int r = image_list(&eng->store, &a, &list, &n, e);
	if (r == 0)
		json_object_set_new(j, "Images", json_integer((json_int_t)n));
	arena_release(&a);
	return r;
}

static int print_lines(const json_t *j, struct err *e)
{
	static const char *const fields[][2] = {
		{ "Containers", "Instances" }, { "ContainersRunning", " Running" },
		{ "ContainersPaused", " Paused" }, { "ContainersStopped", " Stopped" },
		{ "Images", "Images" }, { "ServerVersion", "Version" }, { "Wall", "Wall" },
		{ "Driver", "Storage Driver" }, { "LoggingDriver", "Logging Driver" },
		{ "CgroupDriver", "Cgroup Driver" }, { "CgroupVersion", "Cgroup Version" },
		{ "KernelVersion", "Kernel Version" }, { "OperatingSystem", "Operating System" },
		{ "Architecture", "Architecture" }, { "NCPU", "CPUs" },
		{ "MemTotal", "Total Memory" }, { "Name", "Name" }, { "Rootless", "Rootless" },
		{ "IsleRootDir", "Root Dir" }, { "IsleRunDir", "Run Dir" },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const json_t *v = json_object_get(j, fields[i][0]);

		printf("%s: ", fields[i][1]);
		if (strcmp(fields[i][0], "MemTotal") == 0) {
			CLEANUP_FREE char *s = output_size_binary((uint64_t)json_integer_value(v));

			puts(s);
		} else if (json_is_integer(v)) {
			printf("%lld\n", (long long)json_integer_value(v));
		} else if (json_is_boolean(v)) {
			puts(json_is_true(v) ? "true" : "false");
		} else {
			puts(json_string_value(v));
		}
	}
	return output_flush(e);
}

static int info(struct isle_call *c, struct err *e)
{
	const struct info_options *o = c->target;
	const struct engine *eng = c->eng;
	struct utsname u;
	struct sysinfo si;

	if (uname(&u) < 0 || sysinfo(&si) < 0)
		return err_sys(e, errno, "ask the kernel");
	CLEANUP_JSON json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:I, s:s, s:b, s:s, s:s}",
		"ServerVersion", ISLE_VERSION, "Wall", eng->config.wall, "Driver", "overlay",
		"LoggingDriver", eng->config.log_driver,
		"CgroupDriver", eng->host.systemd_cgroup ? "systemd" : "cgroupfs",
		"CgroupVersion", cgroup_version(), "KernelVersion", u.release,
		"OperatingSystem", system_name(&u), "Architecture", u.machine,
		"NCPU", (int)sysconf(_SC_NPROCESSORS_ONLN),
		"MemTotal", (json_int_t)si.totalram * si.mem_unit, "Name", u.nodename,
		"Rootless", eng->rootless, "IsleRootDir", eng->root, "IsleRunDir", eng->run_root);
	int r = count_instances(c->eng, j, e);
	if (r == 0)
		r = count_images(c->eng, j, e);
	if (r < 0)
		return r;
	if (!o->format)
		return print_lines(j, e);
	CLEANUP_JSON json_t *list = json_pack("[O]", j);
	return output_objects(o->format, list, e);
}

const struct command command_info = {
	.name = "info",
	.aliases = "system info",
	.args = "",
	.summary = "show the host and the store in figures",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct info_options),
	.run = info,
};
