/* base/db.c - see db.h */
#include "base/db.h"
