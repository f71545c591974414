#pragma once
/* vmm/x86_64/probe_guest.h - what vmm/probe.c and its guest agree on.  Layer: vmm. */
#define PROBE_PORT 0xf4
#define PROBE_OK 0x600d600d

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t vmm_probe_code[];
/* Where int3 leads, from the beginning; the length. */
extern const uint32_t vmm_probe_int3, vmm_probe_bytes;
#endif
