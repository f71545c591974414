#pragma once
/* container/wall.h - the container as a wall of the engine's (oci/wall.h).  Layer: container. */
#include "oci/wall.h"

extern const struct wall wall_container;
