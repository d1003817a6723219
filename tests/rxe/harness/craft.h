// A packet made by hand, in one expression: `Craft(template).psn(5000).payload(64, 1).ack_request()`. For tests that
// play the peer of a single engine. Encoded nowhere: it goes straight into Device::handle_packet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/rxe/harness/owned_packet.h"
#include "tests/rxe/harness/region.h"

namespace rocelab::test {

class Craft {
 public:
  explicit Craft(const wire::Packet& from) : packet_(from) {}

  Craft& psn(std::uint32_t value) {
    header().bth.psn = wire::Psn(value);
    return *this;
  }
  Craft& ack_request(bool on = true) {
    header().bth.ack_request = on;
    return *this;
  }
  Craft& solicited() {
    header().bth.solicited = true;
    return *this;
  }
  Craft& qpn(std::uint32_t value) {
    header().bth.destination_qpn = value;
    return *this;
  }
  Craft& pkey(std::uint16_t value) {
    header().bth.pkey = value;
    return *this;
  }
  Craft& reth(Remote remote, std::uint32_t dma_length) {
    header().reth = {remote.addr, remote.rkey, dma_length};
    return *this;
  }
  Craft& aeth(wire::Aeth value) {
    header().aeth = value;
    return *this;
  }
  Craft& atomic(Remote remote, std::uint64_t swap_add, std::uint64_t compare = 0) {
    header().atomic_eth.virtual_address = remote.addr;
    header().atomic_eth.rkey = remote.rkey;
    header().atomic_eth.swap_or_add = swap_add;
    header().atomic_eth.compare = compare;
    return *this;
  }
  Craft& original(std::uint64_t value) {
    header().atomic_ack_eth.original = value;
    return *this;
  }
  Craft& imm(std::uint32_t value) {
    header().imm_dt.value = value;
    return *this;
  }
  Craft& invalidate(std::uint32_t rkey) {
    header().ieth.rkey = rkey;
    return *this;
  }
  Craft& datagram(std::uint32_t qkey, std::uint32_t source_qpn) {
    header().deth.qkey = qkey;
    header().deth.source_qpn = source_qpn;
    return *this;
  }
  /// `length` bytes of the pattern `salt`, beginning with its byte `from`.
  Craft& payload(std::size_t length, std::uint64_t salt, std::size_t from = 0) {
    packet_.payload().resize(length);
    for (std::size_t i = 0; i < length; ++i) packet_.payload()[i] = pattern(salt, from + i);
    return *this;
  }
  wire::Packet& header() { return packet_.header(); }
  /// Valid while this object is.
  const wire::Packet& view() const { return packet_.view(); }

 private:
  OwnedPacket packet_;
};

}  // namespace rocelab::test
