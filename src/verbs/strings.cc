// Names of enumerators for people. Programs print them and scripts look for them, so they are the words that libibverbs
// has always used.
#include <infiniband/verbs.h>

#include <array>
#include <cstddef>

namespace {

template <std::size_t kCount, class Enum>
const char* name_of(const std::array<const char*, kCount>& names, Enum value, int first = 0) {
  const auto index = static_cast<long>(value) - first;
  if (index < 0 || index >= static_cast<long>(kCount)) return "unknown";
  return names[static_cast<std::size_t>(index)];
}

constexpr std::array kNodeTypes{"InfiniBand channel adapter",
                                "InfiniBand switch",
                                "InfiniBand router",
                                "iWARP NIC",
                                "usNIC",
                                "usNIC UDP",
                                "unspecified"};

constexpr std::array kPortStates{"no state change (NOP)", "down", "init", "armed", "active", "active defer"};

constexpr std::array kEventTypes{"CQ error",
                                 "local work queue catastrophic error",
                                 "invalid request local work queue error",
                                 "local access violation work queue error",
                                 "communication established",
                                 "send queue drained",
                                 "path migrated",
                                 "path migration request error",
                                 "local catastrophic error",
                                 "port active",
                                 "port error",
                                 "LID change",
                                 "P_Key change",
                                 "SM change",
                                 "SRQ catastrophic error",
                                 "SRQ limit reached",
                                 "last WQE reached",
                                 "client reregistration",
                                 "GID table change",
                                 "WQ fatal"};

constexpr std::array kStatuses{"success",
                               "local length error",
                               "local QP operation error",
                               "local EE context operation error",
                               "local protection error",
                               "Work Request Flushed Error",
                               "memory management operation error",
                               "bad response error",
                               "local access error",
                               "remote invalid request error",
                               "remote access error",
                               "remote operation error",
                               "transport retry counter exceeded",
                               "RNR retry counter exceeded",
                               "local RDD violation error",
                               "remote invalid RD request",
                               "aborted error",
                               "invalid EE context number",
                               "invalid EE context state",
                               "fatal error",
                               "response timeout error",
                               "general error",
                               "TM error",
                               "TM software rendezvous"};

static_assert(kEventTypes.size() == IBV_EVENT_WQ_FATAL + 1);
static_assert(kStatuses.size() == IBV_WC_TM_RNDV_INCOMPLETE + 1);
static_assert(kPortStates.size() == IBV_PORT_ACTIVE_DEFER + 1);
static_assert(kNodeTypes.size() == IBV_NODE_UNSPECIFIED);  // counted from IBV_NODE_CA, 1

}  // namespace

const char* ibv_node_type_str(ibv_node_type node_type) { return name_of(kNodeTypes, node_type, IBV_NODE_CA); }
const char* ibv_port_state_str(ibv_port_state port_state) { return name_of(kPortStates, port_state); }
const char* ibv_event_type_str(ibv_event_type event) { return name_of(kEventTypes, event); }
const char* ibv_wc_status_str(ibv_wc_status status) { return name_of(kStatuses, status); }
