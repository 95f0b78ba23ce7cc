// network.cu, attention.cu, training.cu and attention_backward.cu for one element; ENTRIES(name) names the tables.
namespace {
#include "../../Sources/CCUDA/kernels/network.cu"
namespace attentions {
#include "../../Sources/CCUDA/kernels/attention.cu"
#include "../../Sources/CCUDA/kernels/attention_backward.cu"
}
namespace trainings {
#include "../../Sources/CCUDA/kernels/training.cu"
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

const NamedEntry ENTRIES(attention_backward)[] = {
    {"attention_backward_queries",
     [](void **arguments) { attentions::attention_backward_queries(ARGUMENT(attentions::AttentionGradientPlaces, 0)); }},
    {"attention_backward_keys",
     [](void **arguments) { attentions::attention_backward_keys(ARGUMENT(attentions::AttentionGradientPlaces, 0)); }},
#ifdef RRCM_BF16
#define BACKWARD(name) \
  {#name, [](void **arguments) { attentions::name(ARGUMENT(attentions::AttentionGradientPlaces, 0)); }}
    BACKWARD(attention_backward_queries_32),
    BACKWARD(attention_backward_queries_64),
    BACKWARD(attention_backward_keys_32),
    BACKWARD(attention_backward_keys_64),
#endif
    {nullptr, nullptr},
};

// Calls a kernel with as many of the launch's arguments as it takes, by its own types.
template <typename... Types, size_t... Places>
void call(void (*kernel)(Types...), void **arguments, std::index_sequence<Places...>) {
  kernel(ARGUMENT(Types, Places)...);
}
template <typename... Types>
void call(void (*kernel)(Types...), void **arguments) {
  call(kernel, arguments, std::index_sequence_for<Types...>());
}
#define TRAINING(name) {#name, [](void **arguments) { call(trainings::name, arguments); }}

const NamedEntry ENTRIES(training)[] = {
    TRAINING(train_embed),
    TRAINING(patch_rows),
    TRAINING(to_element),
    TRAINING(gelu_of_sum),
    TRAINING(gelu_backward),
    TRAINING(layer_norm_backward),
    TRAINING(column_sums),
    TRAINING(column_sums_float),
    TRAINING(norm_sums),
    TRAINING(add_pieces),
    TRAINING(batch_norm_moments),
    TRAINING(running_scale),
    TRAINING(batch_norm_relu),
    TRAINING(batch_norm_relu_backward),
    TRAINING(segment_squares),
    TRAINING(adamw),
    TRAINING(average),
    {nullptr, nullptr},
};
