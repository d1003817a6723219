// What can be asked of a device and its port; entries of the context's tables.
#pragma once

#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>

namespace rocelab::verbs {

int query_device_ex(ibv_context* context, const ibv_query_device_ex_input* input, ibv_device_attr_ex* attr,
                    std::size_t attr_size);
int query_port(ibv_context* context, std::uint8_t port, ibv_port_attr* attr, std::size_t attr_size);
int query_rt_values(ibv_context* context, ibv_values_ex* values);

}  // namespace rocelab::verbs
