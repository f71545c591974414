/* oci/spec.c - config.md: the document and its entry points */
#include "oci/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oci/table.h"

static const struct oci_field root_fields[] = {
	F_STRING("path", struct oci_spec, root_path, .flags = OCI_REQUIRED),
	F_BOOL("readonly", struct oci_spec, root_readonly),
	F_END
};

static const struct oci_table root_table = {
	.section = "config.md#root", .fields = root_fields,
};

static const struct oci_field mount_fields[] = {
	F_STRING("destination", struct oci_mount, destination, .flags = OCI_REQUIRED),
	F_STRING("type", struct oci_mount, type),
	F_STRING("source", struct oci_mount, source),
	F_STRINGS("options", struct oci_mount, options),
	F_OBJECTS("uidMappings", struct oci_mount, uid_maps.v, uid_maps.n, &oci_table_idmap),
	F_OBJECTS("gidMappings", struct oci_mount, gid_maps.v, gid_maps.n, &oci_table_idmap),
	F_END
};

static const struct oci_table mount_table = {
	.section = "config.md#mounts", .size = sizeof(struct oci_mount), .fields = mount_fields,
};

static const struct oci_field hook_fields[] = {
	F_STRING("path", struct oci_hook, path, .flags = OCI_REQUIRED | OCI_ABSOLUTE),
	F_STRINGS("args", struct oci_hook, args),
	F_STRINGS("env", struct oci_hook, env),
	F_OPT_INT("timeout", struct oci_hook, timeout, RANGE(1, INT32_MAX)),
	F_END
};

static const struct oci_table hook_table = {
	.section = "config.md#posix-platform-hooks", .size = sizeof(struct oci_hook),
	.fields = hook_fields,
};

#define F_HOOKS(k, kind) \
	F_OBJECTS(k, struct oci_spec, hooks[kind].v, hooks[kind].n, &hook_table)

static const struct oci_field hooks_fields[] = {
	F_HOOKS("prestart", OCI_HOOK_PRESTART),
	F_HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	F_HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	F_HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	F_HOOKS("poststart", OCI_HOOK_POSTSTART),
	F_HOOKS("poststop", OCI_HOOK_POSTSTOP),
	F_END
};

static const struct oci_table hooks_table = {
	.section = "config.md#posix-platform-hooks", .fields = hooks_fields,
};

#define OTHER_PLATFORM "ignored on purpose: another platform"

static const struct oci_field spec_fields[] = {
	F_STRING("ociVersion", struct oci_spec, oci_version, .flags = OCI_REQUIRED,
		 AT("config.md#specification-version")),
	F_OBJECT("root", 0, &root_table),
	F_OBJECTS("mounts", struct oci_spec, mounts, n_mounts, &mount_table),
	F_OBJECT_NEW("process", struct oci_spec, process, &oci_table_process),
	F_STRING("hostname", struct oci_spec, hostname, AT("config.md#hostname")),
	F_STRING("domainname", struct oci_spec, domainname, AT("config.md#domainname")),
	F_OBJECT("hooks", 0, &hooks_table),
	F_STRING_MAP("annotations", struct oci_spec, annotations, AT("config.md#annotations")),
	F_OBJECT_SEEN("linux", struct oci_spec, os_set, offsetof(struct oci_spec, os),
		      &oci_table_linux),
	F_OBJECT_NEW("vm", struct oci_spec, vm, &oci_table_vm,
		     .note = "parsed, ignored on purpose: for a virtual machine"),
	F_IGNORED("solaris", OTHER_PLATFORM),
	F_IGNORED("windows", OTHER_PLATFORM),
	F_IGNORED("freebsd", OTHER_PLATFORM),
	F_IGNORED("zos", OTHER_PLATFORM),
	F_END
};

/* SemVer 2.0.0: X.Y.Z, then what "-" or "+" starts.  NULL when s is not one. */
static const char *skip_semver(const char *s, unsigned long *ret_major)
{
	char *end;

	for (int part = 0; part < 3; part++) {
		if (!isdigit((unsigned char)*s) || (s[0] == '0' && isdigit((unsigned char)s[1])))
			return NULL;
		unsigned long v = strtoul(s, &end, 10);
		if (part == 0)
			*ret_major = v;
		s = end;
		if (part < 2 && *s++ != '.')
			return NULL;
	}
	return s;
}

/* config.md#specification-version: any 1.x.y, pre-releases and builds of it too. */
static int check_spec(const struct oci_walk *w, const struct json_node *v, void *object)
{
	static const char tail[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ-+.";
	const struct oci_spec *spec = object;
	const struct json_node *at = json_tree_member(v, "ociVersion");
	unsigned long major = 0;
	const char *rest = skip_semver(spec->oci_version, &major);

	if (!rest || (*rest && *rest != '-' && *rest != '+') || rest[strspn(rest, tail)])
		return oci_walk_error(w, at, "ociVersion",
				      "expected a version like 1.2.0, found \"%.80s\"",
				      spec->oci_version);
	if (major != 1)
		return oci_walk_error(w, at, "ociVersion",
				      "version %.80s is not supported, only 1.x is",
				      spec->oci_version);
	return 0;
}

const struct oci_table oci_table_spec = {
	.section = "config.md", .size = sizeof(struct oci_spec), .fields = spec_fields,
	.check = check_spec,
};

int oci_spec_parse(const char *name, const char *p, size_t n, struct oci_spec *spec,
		   struct err *e)
{
	*spec = (struct oci_spec){ 0 };
	spec->name = arena_strdup(&spec->arena, name);
	struct oci_walk w = { .name = name, .a = &spec->arena, .e = e };
	int r = json_tree_parse(name, p, n, &spec->arena, &spec->doc, e);

	if (r == 0)
		r = oci_table_walk(&w, &oci_table_spec, spec->doc, spec);
	if (r < 0)
		oci_spec_release(spec);
	return r;
}

void oci_spec_release(struct oci_spec *spec)
{
	if (!spec)
		return;
	arena_release(&spec->arena);
	*spec = (struct oci_spec){ 0 };
}

const struct oci_namespace *oci_ns_find(const struct oci_spec *spec, enum oci_ns type)
{
	for (size_t i = 0; i < spec->os.n_namespaces; i++)
		if (spec->os.namespaces[i].type == type)
			return &spec->os.namespaces[i];
	return NULL;
}

const char *oci_kvs_get(const struct oci_kvs *kvs, const char *key)
{
	/* Of two with one name the last counts, as in Go. */
	for (size_t i = kvs->n; i-- > 0; )
		if (strcmp(kvs->v[i].key, key) == 0)
			return kvs->v[i].value;
	return NULL;
}
