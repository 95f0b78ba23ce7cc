// A GPU on the processor, for tests: the tables that `rrcm_cuda_open` fills, filled with functions that run our kernels'
// own source, a thread of a block at a time, and multiply matrices by their definition.
#ifndef RRCM_EMULATOR_H
#define RRCM_EMULATOR_H

#include "rrcm_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Two devices, "Emulated GPU 0" and "1", of capability 9.0.
rrcm_cu_driver rrcm_emulated_driver(void);
/// "Compiles" to the source's name and options, which the driver's loader understands.
rrcm_nvrtc rrcm_emulated_nvrtc(void);
rrcm_lt rrcm_emulated_lt(void);

/// Bytes of a device's memory from now on; what is allocated stays.
void rrcm_emulator_set_memory(size_t bytes);
/// Blocks of device memory that are allocated.
long rrcm_emulator_allocations(void);
/// How many kernels ran, how many products, and how many programs were compiled, since the start.
void rrcm_emulator_counts(long *kernels, long *products, long *programs);
/// Makes the next calls of this name fail with this error number, `count` times: "launch", "allocate", "init", "choose".
void rrcm_emulator_fail(const char *what, int error, int count);

#ifdef __cplusplus
}
#endif

#endif
