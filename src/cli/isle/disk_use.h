#pragma once
/* cli/isle/disk_use.h - how much a directory holds.  Layer: cli. */
#include <stdint.h>

/* Bytes on disk of all below path; 0 where there is no such directory. */
uint64_t disk_use(const char *path);
