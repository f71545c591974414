/* oci/spec_vm.c - config-vm.md: what the other wall reads */
#include "oci/spec.h"
#include "oci/table.h"

#define VM_ONLY "parsed, ignored on purpose: for a virtual machine"
#define XEN_ONLY "ignored on purpose: device pass-through of Xen guests"

static const struct oci_field hypervisor_fields[] = {
	F_STRING("path", struct oci_vm, hypervisor_path, .flags = OCI_REQUIRED | OCI_ABSOLUTE,
		 .note = VM_ONLY),
	F_STRINGS("parameters", struct oci_vm, hypervisor_parameters, .note = VM_ONLY),
	F_END
};

static const struct oci_table hypervisor_table = {
	.section = "config-vm.md#hypervisor-object", .fields = hypervisor_fields,
};

static const struct oci_field kernel_fields[] = {
	F_STRING("path", struct oci_vm, kernel_path, .flags = OCI_REQUIRED | OCI_ABSOLUTE,
		 .note = VM_ONLY),
	F_STRINGS("parameters", struct oci_vm, kernel_parameters, .note = VM_ONLY),
	F_STRING("initrd", struct oci_vm, kernel_initrd, .flags = OCI_ABSOLUTE, .note = VM_ONLY),
	F_END
};

static const struct oci_table kernel_table = {
	.section = "config-vm.md#kernel-object", .fields = kernel_fields,
};

static const struct oci_name image_formats[] = {
	{ "raw", 0 }, { "qcow2", 0 }, { "vdi", 0 }, { "vmdk", 0 }, { "vhd", 0 }, { NULL, 0 }
};

static const struct oci_field image_fields[] = {
	F_STRING("path", struct oci_vm, image_path, .flags = OCI_REQUIRED | OCI_ABSOLUTE,
		 .note = VM_ONLY),
	F_WORD("format", struct oci_vm, image_format, image_formats, .flags = OCI_REQUIRED,
	       .note = VM_ONLY),
	F_END
};

static const struct oci_table image_table = {
	.section = "config-vm.md#image-object", .fields = image_fields,
};

static const struct oci_field hw_fields[] = {
	F_IGNORED("deviceTree", XEN_ONLY),
	F_OPT_INT("vcpus", struct oci_vm, hw_vcpus, U32, .note = VM_ONLY),
	F_OPT_INT("memory", struct oci_vm, hw_memory, U64, .note = VM_ONLY),
	F_IGNORED("dtdevs", XEN_ONLY),
	F_IGNORED("iomems", XEN_ONLY),
	F_IGNORED("irqs", XEN_ONLY),
	F_END
};

static const struct oci_table hw_table = {
	.section = "config-vm.md#hwconfig-object", .fields = hw_fields,
};

static const struct oci_field vm_fields[] = {
	F_OBJECT("hypervisor", 0, &hypervisor_table, .note = VM_ONLY),
	F_OBJECT("kernel", 0, &kernel_table, .flags = OCI_REQUIRED, .note = VM_ONLY),
	F_OBJECT("image", 0, &image_table, .note = VM_ONLY),
	F_OBJECT("hwConfig", 0, &hw_table, .note = VM_ONLY),
	F_END
};

const struct oci_table oci_table_vm = {
	.section = "config-vm.md", .size = sizeof(struct oci_vm), .fields = vm_fields,
};
