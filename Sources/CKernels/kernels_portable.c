// The kernels in plain vector C. Without a fused multiply-add in hardware each one is a library call: correct and slow.
#include "kernels_tables.h"

#pragma clang diagnostic ignored "-Wpsabi"
#define FN(name) portable_##name
#define ROWS 6
#define PANELS 1
#include "kernels_body.h"
#include "bf16_body.h"
#include "noise_body.h"

const rrcm_kernels rrcm_kernels_portable = RRCM_TABLE("portable");
