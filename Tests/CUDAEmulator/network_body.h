// network.cu and attention.cu for one element; ENTRIES(name) names the tables.
namespace {
#include "../../Sources/CCUDA/kernels/network.cu"
namespace attentions {
#include "../../Sources/CCUDA/kernels/attention.cu"
}
}

const NamedEntry ENTRIES(network)[] = {
    {"embed", [](void **arguments) {
       embed(ARGUMENT(float *, 0), ARGUMENT(const float *, 1), ARGUMENT(const float *, 2), ARGUMENT(int, 3),
             ARGUMENT(int, 4), ARGUMENT(long, 5));
     }},
    {"layer_norm", [](void **arguments) {
       layer_norm(ARGUMENT(element *, 0), ARGUMENT(const float *, 1), ARGUMENT(const float *, 2),
                  ARGUMENT(const float *, 3), ARGUMENT(int, 4), ARGUMENT(long, 5));
     }},
    {"layer_norm_float", [](void **arguments) {
       layer_norm_float(ARGUMENT(float *, 0), ARGUMENT(const float *, 1), ARGUMENT(const float *, 2),
                        ARGUMENT(const float *, 3), ARGUMENT(int, 4), ARGUMENT(long, 5));
     }},
    {"bias_gelu", [](void **arguments) {
       bias_gelu(ARGUMENT(element *, 0), ARGUMENT(const float *, 1), ARGUMENT(int, 2), ARGUMENT(long, 3));
     }},
    {"count_votes", [](void **arguments) {
       count_votes(ARGUMENT(int *, 0), ARGUMENT(uint32_t *, 1), ARGUMENT(const float *, 2), ARGUMENT(const Chunk *, 3),
                   ARGUMENT(const uint32_t *, 4), ARGUMENT(int, 5), ARGUMENT(int, 6));
     }},
    {nullptr, nullptr},
};

const NamedEntry ENTRIES(attention)[] = {
    {"attention", [](void **arguments) { attentions::attention(ARGUMENT(attentions::AttentionPlaces, 0)); }},
#ifdef RRCM_BF16
    {"attention_32", [](void **arguments) { attentions::attention_32(ARGUMENT(attentions::AttentionPlaces, 0)); }},
    {"attention_64", [](void **arguments) { attentions::attention_64(ARGUMENT(attentions::AttentionPlaces, 0)); }},
#endif
    {nullptr, nullptr},
};
