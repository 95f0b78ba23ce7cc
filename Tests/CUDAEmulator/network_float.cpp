#define RRCM_EMULATED
#define RRCM_ELEMENT float
#define ENTRIES(name) name##_float_entries
#include "emulator.h"
#include "network_body.h"
