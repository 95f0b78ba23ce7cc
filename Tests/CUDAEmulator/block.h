#ifndef RRCM_BLOCK_H
#define RRCM_BLOCK_H

#include "emulator.h"

/// Runs every block of a launch. False when a block's threads wait for each other for ever.
bool run_kernel(Entry kernel, void **arguments, Index grid, Index block, size_t shared_bytes);

#endif
