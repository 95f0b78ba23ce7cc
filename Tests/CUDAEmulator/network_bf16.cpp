#define RRCM_EMULATED
#define RRCM_ELEMENT bf16
#define RRCM_BF16
#define ENTRIES(name) name##_bf16_entries
#include "emulator.h"
#include "network_body.h"
