// ibv_create_flow: its list of specifications becomes one value and one mask (rxe/flow_key.h). What cannot be matched,
// or done, is EOPNOTSUPP: tunnels, ESP, GRE, MPLS, inner headers, counters, action handles, rules for what is sent.
#include "verbs/flow.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "verbs/context.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

using rxe::FlowKey;

/// One field of a specification.
template <class Field>
void put(rxe::FlowRule& rule, std::size_t at, const Field& value, const Field& mask) {
  std::memcpy(rule.value.bytes.data() + at, &value, sizeof value);
  std::memcpy(rule.mask.bytes.data() + at, &mask, sizeof mask);
}

void demand(rxe::FlowRule& rule, std::byte layer) {
  rule.value.bytes[FlowKey::kLayers] |= layer;
  rule.mask.bytes[FlowKey::kLayers] |= layer;
}

void put_eth(rxe::FlowRule& rule, const ibv_flow_spec_eth& spec) {
  put(rule, FlowKey::kDestinationMac, spec.val.dst_mac, spec.mask.dst_mac);
  put(rule, FlowKey::kSourceMac, spec.val.src_mac, spec.mask.src_mac);
  put(rule, FlowKey::kEtherType, spec.val.ether_type, spec.mask.ether_type);
  put(rule, FlowKey::kVlanTag, spec.val.vlan_tag, spec.mask.vlan_tag);
  if (spec.mask.vlan_tag != 0) demand(rule, FlowKey::kVlan);
}

void put_ipv4_ext(rxe::FlowRule& rule, const ibv_flow_spec_ipv4_ext& spec) {
  demand(rule, FlowKey::kIpv4);
  put(rule, FlowKey::kSourceIp, spec.val.src_ip, spec.mask.src_ip);
  put(rule, FlowKey::kDestinationIp, spec.val.dst_ip, spec.mask.dst_ip);
  put(rule, FlowKey::kProtocol, spec.val.proto, spec.mask.proto);
  put(rule, FlowKey::kTos, spec.val.tos, spec.mask.tos);
  put(rule, FlowKey::kTtl, spec.val.ttl, spec.mask.ttl);
  put(rule, FlowKey::kIpFlags, spec.val.flags, spec.mask.flags);
}

void put_ipv6(rxe::FlowRule& rule, const ibv_flow_spec_ipv6& spec) {
  demand(rule, FlowKey::kIpv6);
  put(rule, FlowKey::kSourceIp, spec.val.src_ip, spec.mask.src_ip);
  put(rule, FlowKey::kDestinationIp, spec.val.dst_ip, spec.mask.dst_ip);
  put(rule, FlowKey::kFlowLabel, spec.val.flow_label, spec.mask.flow_label);
  put(rule, FlowKey::kProtocol, spec.val.next_hdr, spec.mask.next_hdr);
  put(rule, FlowKey::kTos, spec.val.traffic_class, spec.mask.traffic_class);
  put(rule, FlowKey::kTtl, spec.val.hop_limit, spec.mask.hop_limit);
}

void put_ports(rxe::FlowRule& rule, const ibv_flow_spec_tcp_udp& spec, std::byte layer) {
  demand(rule, layer);
  put(rule, FlowKey::kDestinationPort, spec.val.dst_port, spec.mask.dst_port);
  put(rule, FlowKey::kSourcePort, spec.val.src_port, spec.mask.src_port);
}

/// Copies a specification of this kind from the list; false: it is shorter than it must be.
template <class Spec>
bool read(const std::byte* from, std::size_t size, Spec& spec) {
  if (size < sizeof spec) return false;
  std::memcpy(&spec, from, sizeof spec);
  return true;
}

/// Adds one specification of `size` bytes to the rule: 0 or errno.
int add(rxe::FlowRule& rule, int type, const std::byte* from, std::size_t size) {
  switch (type) {
    case IBV_FLOW_SPEC_ETH: {
      ibv_flow_spec_eth spec;
      return read(from, size, spec) ? (put_eth(rule, spec), 0) : EINVAL;
    }
    case IBV_FLOW_SPEC_IPV4: {
      ibv_flow_spec_ipv4 spec;
      if (!read(from, size, spec)) return EINVAL;
      demand(rule, FlowKey::kIpv4);
      put(rule, FlowKey::kSourceIp, spec.val.src_ip, spec.mask.src_ip);
      put(rule, FlowKey::kDestinationIp, spec.val.dst_ip, spec.mask.dst_ip);
      return 0;
    }
    case IBV_FLOW_SPEC_IPV4_EXT: {
      ibv_flow_spec_ipv4_ext spec;
      return read(from, size, spec) ? (put_ipv4_ext(rule, spec), 0) : EINVAL;
    }
    case IBV_FLOW_SPEC_IPV6: {
      ibv_flow_spec_ipv6 spec;
      return read(from, size, spec) ? (put_ipv6(rule, spec), 0) : EINVAL;
    }
    case IBV_FLOW_SPEC_TCP:
    case IBV_FLOW_SPEC_UDP: {
      ibv_flow_spec_tcp_udp spec;
      if (!read(from, size, spec)) return EINVAL;
      put_ports(rule, spec, type == IBV_FLOW_SPEC_TCP ? FlowKey::kTcp : FlowKey::kUdp);
      return 0;
    }
    case IBV_FLOW_SPEC_ACTION_TAG: {
      ibv_flow_spec_action_tag spec;
      if (!read(from, size, spec)) return EINVAL;
      rule.tag = spec.tag_id;
      return 0;
    }
    case IBV_FLOW_SPEC_ACTION_DROP:
      rule.drops = true;
      return 0;
    default:
      return EOPNOTSUPP;
  }
}

int translate(const ibv_flow_attr& attr, rxe::FlowRule& rule) {
  if (attr.comp_mask != 0 || (attr.flags & ~static_cast<unsigned>(IBV_FLOW_ATTR_FLAGS_DONT_TRAP)) != 0) {
    return EOPNOTSUPP;
  }
  if (attr.port != 1 || attr.type > IBV_FLOW_ATTR_SNIFFER) return EINVAL;
  rule.type = static_cast<rxe::FlowType>(attr.type);
  rule.priority = attr.priority;
  rule.lets_pass = (attr.flags & IBV_FLOW_ATTR_FLAGS_DONT_TRAP) != 0;
  if (attr.num_of_specs != 0 && attr.type != IBV_FLOW_ATTR_NORMAL) return EINVAL;
  // Each specification begins with its type and its size.
  const auto* at = reinterpret_cast<const std::byte*>(&attr + 1);
  for (unsigned i = 0; i < attr.num_of_specs; ++i) {
    struct {
      std::uint32_t type;
      std::uint16_t size;
    } head{};
    std::memcpy(&head.type, at, sizeof head.type);
    std::memcpy(&head.size, at + sizeof head.type, sizeof head.size);
    if (head.size < sizeof head.type + sizeof head.size) return EINVAL;
    if (const int wrong = add(rule, static_cast<int>(head.type), at, head.size)) return wrong;
    at += head.size;
  }
  return 0;
}

}  // namespace

ibv_flow* create_flow(ibv_qp* qp, ibv_flow_attr* attr) {
  if (attr == nullptr) return refuse_null(EINVAL);
  rxe::FlowRule rule;
  if (const int wrong = translate(*attr, rule)) return refuse_null(wrong);
  rule.qpn = qp->qp_num;
  Context& owner = Context::of(qp->context);
  std::unique_ptr<Flow> flow(new (std::nothrow) Flow());
  if (!flow) return refuse_null(ENOMEM);
  const auto id = owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.create_flow(rule); });
  if (!id) return refuse_null(id.error().code);
  flow->context = qp->context;
  flow->id = *id;
  flow->handle = static_cast<std::uint32_t>(*id);
  owner.adopt(*flow);
  return flow.release();
}

int destroy_flow(ibv_flow* flow) {
  Flow& ours = Flow::of(flow);
  Context& owner = Context::of(flow->context);
  const int status =
      status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.destroy_flow(ours.id); }));
  if (status != 0) return status;
  owner.release(ours);
  delete &ours;
  return 0;
}

}  // namespace rocelab::verbs
