#define RRCM_EMULATED
#include "emulator.h"
namespace {
#include "../../Sources/CCUDA/kernels/noise.cu"
}

const NamedEntry noise_entries[] = {
    {"grid_patches", [](void **arguments) {
       grid_patches(ARGUMENT(float *, 0), ARGUMENT(const uint8_t *, 1), ARGUMENT(const Chunk *, 2),
                    ARGUMENT(const uint32_t *, 3), ARGUMENT(const GridTable *, 4), ARGUMENT(Geometry, 5),
                    ARGUMENT(int, 6));
     }},
    {"gaussian_patches", [](void **arguments) {
       gaussian_patches(ARGUMENT(float *, 0), ARGUMENT(const uint8_t *, 1), ARGUMENT(const Chunk *, 2),
                        ARGUMENT(const uint32_t *, 3), ARGUMENT(Geometry, 4), ARGUMENT(int, 5));
     }},
    {"input_patches", [](void **arguments) {
       input_patches(ARGUMENT(float *, 0), ARGUMENT(const float *, 1), ARGUMENT(const Chunk *, 2),
                     ARGUMENT(Geometry, 3), ARGUMENT(int, 4));
     }},
    {"advance", [](void **arguments) { advance(ARGUMENT(uint32_t *, 0), ARGUMENT(uint32_t, 1)); }},
    {nullptr, nullptr},
};
