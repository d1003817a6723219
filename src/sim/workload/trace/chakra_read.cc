// Reading Chakra traces. See chakra.h.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "sim/workload/chakra.pb.h"
#include "sim/workload/trace/chakra.h"

namespace rocelab::sim {

namespace {

constexpr std::size_t kMessageBytesMax = 64u << 20;
constexpr std::uint64_t kMicrosMax = 1'000'000'000'000;  // 11 days

/// Takes a varint off the front.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80u) == 0) return value;
  }
  return std::nullopt;
}

/// Takes a length-delimited message off the front.
std::optional<std::string_view> take_message(std::string_view& bytes) {
  const auto size = take_varint(bytes);
  if (!size || *size > kMessageBytesMax || *size > bytes.size()) return std::nullopt;
  const std::string_view message = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return message;
}

std::optional<std::uint64_t> whole(const chakra::Attribute& a) {
  const auto positive = [](std::int64_t v) -> std::optional<std::uint64_t> {
    if (v < 0) return std::nullopt;
    return static_cast<std::uint64_t>(v);
  };
  switch (a.value_case()) {
    case chakra::Attribute::kInt32Val:
      return positive(a.int32_val());
    case chakra::Attribute::kInt64Val:
      return positive(a.int64_val());
    case chakra::Attribute::kUint32Val:
      return a.uint32_val();
    case chakra::Attribute::kUint64Val:
      return a.uint64_val();
    case chakra::Attribute::kSint32Val:
      return positive(a.sint32_val());
    case chakra::Attribute::kSint64Val:
      return positive(a.sint64_val());
    case chakra::Attribute::kFixed32Val:
      return a.fixed32_val();
    case chakra::Attribute::kFixed64Val:
      return a.fixed64_val();
    case chakra::Attribute::kSfixed32Val:
      return positive(a.sfixed32_val());
    case chakra::Attribute::kSfixed64Val:
      return positive(a.sfixed64_val());
    default:
      return std::nullopt;
  }
}

std::optional<Collective> collective_of(std::uint64_t type) {
  switch (type) {
    case 0:
      return Collective::kAllReduce;
    case 2:
      return Collective::kAllGather;
    case 5:
      return Collective::kBroadcast;
    case 6:
      return Collective::kAllToAll;
    case 7:
    case 8:
      return Collective::kReduceScatter;
    case 9:
      return Collective::kBarrier;
    default:
      return std::nullopt;  // reduce, gather, scatter
  }
}

TraceNodeKind kind_of(chakra::NodeType type) {
  switch (type) {
    case chakra::COMP_NODE:
    case chakra::MEM_LOAD_NODE:
    case chakra::MEM_STORE_NODE:
      return TraceNodeKind::kCompute;
    case chakra::COMM_SEND_NODE:
      return TraceNodeKind::kSend;
    case chakra::COMM_RECV_NODE:
      return TraceNodeKind::kReceive;
    case chakra::COMM_COLL_NODE:
      return TraceNodeKind::kCollective;
    default:
      return TraceNodeKind::kOther;
  }
}

base::TextResult<TraceNode> convert(const chakra::Node& node) {
  TraceNode out;
  out.id = node.id();
  out.name = node.name();
  out.kind = kind_of(node.type());
  out.dependencies.assign(node.ctrl_deps().begin(), node.ctrl_deps().end());
  out.dependencies.insert(out.dependencies.end(), node.data_deps().begin(), node.data_deps().end());
  std::sort(out.dependencies.begin(), out.dependencies.end());
  out.dependencies.erase(std::unique(out.dependencies.begin(), out.dependencies.end()), out.dependencies.end());
  if (node.duration_micros() > kMicrosMax) return base::fail_text("the duration is longer than 11 days");
  if (out.kind == TraceNodeKind::kCompute) out.duration_ps = node.duration_micros() * 1'000'000;
  bool has_size = false, has_peer = false, has_type = false;
  for (const chakra::Attribute& a : node.attr()) {
    const auto value = whole(a);
    if (a.name() == "comm_size") {
      if (!value) return base::fail_text("`comm_size` is not a whole number");
      out.bytes = *value;
      has_size = true;
    } else if (a.name() == "comm_tag") {
      out.tag = value.value_or(0);
    } else if (a.name() == "pg_name") {
      out.group =
          a.value_case() == chakra::Attribute::kStringVal ? a.string_val() : fmt::format("{}", value.value_or(0));
    } else if (a.name() == (out.kind == TraceNodeKind::kSend ? "comm_dst" : "comm_src")) {
      if (out.kind != TraceNodeKind::kSend && out.kind != TraceNodeKind::kReceive) continue;
      if (!value || *value > std::numeric_limits<std::uint32_t>::max()) {
        return base::fail_text(fmt::format("`{}` is not a rank", a.name()));
      }
      out.peer = static_cast<std::uint32_t>(*value);
      has_peer = true;
    } else if (a.name() == "comm_type" && out.kind == TraceNodeKind::kCollective) {
      const auto operation = value ? collective_of(*value) : std::nullopt;
      if (!operation) return base::fail_text("its `comm_type` is not supported (reduce, gather and scatter are not)");
      out.collective = *operation;
      has_type = true;
    }
  }
  if ((out.kind == TraceNodeKind::kSend || out.kind == TraceNodeKind::kReceive) && !has_peer) {
    return base::fail_text("has no `comm_src` or `comm_dst`");
  }
  if (out.kind == TraceNodeKind::kCollective && !has_type) return base::fail_text("has no `comm_type`");
  const bool needs_size = out.kind == TraceNodeKind::kSend ||
                          (out.kind == TraceNodeKind::kCollective && out.collective != Collective::kBarrier);
  if (needs_size && !has_size) return base::fail_text("has no `comm_size`");
  return out;
}

}  // namespace

base::TextResult<std::vector<TraceNode>> parse_chakra(std::string_view bytes, const std::string& file) {
  chakra::Metadata metadata;
  const auto first = take_message(bytes);
  if (!first || !metadata.ParseFromArray(first->data(), static_cast<int>(first->size()))) {
    return base::fail_text(fmt::format("{}: does not begin with the metadata of a Chakra trace", file));
  }
  std::vector<TraceNode> nodes;
  while (!bytes.empty()) {
    chakra::Node node;
    const auto message = take_message(bytes);
    if (!message || !node.ParseFromArray(message->data(), static_cast<int>(message->size()))) {
      return base::fail_text(fmt::format("{}: what follows {} nodes is not a node", file, nodes.size()));
    }
    auto converted = convert(node);
    if (!converted) return base::fail_text(fmt::format("{}: node {}: {}", file, node.id(), converted.error()));
    nodes.push_back(std::move(*converted));
  }
  return nodes;
}

base::TextResult<std::map<std::string, std::vector<std::uint32_t>>> parse_process_groups(std::string_view text,
                                                                                         const std::string& file) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return base::fail_text(fmt::format("{}: is not a JSON object of process groups", file));
  std::map<std::string, std::vector<std::uint32_t>> groups;
  for (const auto& [name, ranks] : json.items()) {
    if (!ranks.is_array()) return base::fail_text(fmt::format("{}: group `{}` is not a list of ranks", file, name));
    for (const auto& rank : ranks) {
      if (!rank.is_number_unsigned() || rank.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
        return base::fail_text(fmt::format("{}: group `{}`: {} is not a rank", file, name, rank.dump()));
      }
      groups[name].push_back(rank.get<std::uint32_t>());
    }
  }
  return groups;
}

}  // namespace rocelab::sim
