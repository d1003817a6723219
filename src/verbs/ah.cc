// Address handles: create and destroy.
#include "verbs/ah.h"

#include <cerrno>
#include <memory>
#include <new>

#include "verbs/context.h"
#include "verbs/pd.h"
#include "verbs/status.h"

namespace rocelab::verbs {

base::Result<rxe::AddressVector> resolve(Context& context, const ibv_ah_attr& attr) {
  // A LID alone addresses nothing on Ethernet: the GRH carries the IP addresses (IBTA annex A17.9.2).
  if (!attr.is_global) return base::fail(EINVAL, "RoCE needs a GRH: set is_global and a GID index");
  if (attr.port_num != 1) return base::fail(EINVAL, "the device has one port, number 1");
  rxe::VerbsDevice* device = context.local();
  if (device == nullptr) return base::fail(ENODEV, "the device is gone: fork() or exit");
  rxe::AddressVector av;
  av.dgid = to_gid(attr.grh.dgid);
  av.sgid_index = attr.grh.sgid_index;
  av.hop_limit = attr.grh.hop_limit;
  av.traffic_class = attr.grh.traffic_class;
  av.flow_label = attr.grh.flow_label & 0xf'ffffu;
  av.service_level = attr.sl;
  const base::Result<wire::MacAddress> mac = device->resolve(av.dgid, av.sgid_index);
  if (!mac) return tl::make_unexpected(mac.error());
  av.destination_mac = *mac;
  return av;
}

ibv_ah_attr to_ah_attr(const rxe::AddressVector& av) {
  ibv_ah_attr attr{};
  std::memcpy(attr.grh.dgid.raw, av.dgid.bytes.data(), sizeof(attr.grh.dgid.raw));
  attr.grh.flow_label = av.flow_label;
  attr.grh.sgid_index = av.sgid_index;
  attr.grh.hop_limit = av.hop_limit;
  attr.grh.traffic_class = av.traffic_class;
  attr.sl = av.service_level;
  attr.is_global = 1;
  attr.port_num = 1;
  return attr;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Ah;
using verbs::Context;

ibv_ah* ibv_create_ah(ibv_pd* pd, ibv_ah_attr* attr) {
  if (pd == nullptr || attr == nullptr) return verbs::refuse_null(EINVAL);
  Context& owner = Context::of(pd->context);
  const auto av = verbs::resolve(owner, *attr);
  if (!av) return verbs::refuse_null(av.error().code);
  std::unique_ptr<Ah> ah(new (std::nothrow) Ah());
  if (!ah) return verbs::refuse_null(ENOMEM);
  const auto id =
      owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.create_ah(verbs::Pd::of(pd).id, *av); });
  if (!id) return verbs::refuse_null(id.error().code);
  ah->context = pd->context;
  ah->pd = pd;
  ah->handle = static_cast<std::uint32_t>(*id);
  ah->id = *id;
  owner.adopt(*ah);
  return ah.release();
}

int ibv_destroy_ah(ibv_ah* ah) {
  if (ah == nullptr) return verbs::refuse(EINVAL);
  Ah& ours = Ah::of(ah);
  Context& owner = Context::of(ah->context);
  const int status =
      verbs::status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.destroy_ah(ours.id); }));
  if (status != 0) return status;
  owner.release(ours);
  delete &ours;
  return 0;
}

int ibv_resolve_eth_l2_from_gid(ibv_context* context, ibv_ah_attr* attr, uint8_t eth_mac[6], uint16_t* vid) {
  Context& owner = Context::of(context);
  ibv_ah_attr global = *attr;
  global.is_global = 1;
  const auto av = verbs::resolve(owner, global);
  if (!av) {
    errno = av.error().code;
    return -av.error().code;  // this one function has always returned negative values
  }
  std::memcpy(eth_mac, av->destination_mac.data(), av->destination_mac.size());
  if (vid != nullptr) {
    constexpr uint16_t kNoVlan = 0xffff;
    const auto source =
        owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.gid(attr->grh.sgid_index); });
    *vid = source && source->has_vlan ? source->vlan_id : kNoVlan;
  }
  return 0;
}
