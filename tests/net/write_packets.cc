// write_packets CAPTURE TABLE: writes a capture with one packet of every opcode in every encapsulation, tagged and not,
// and a table of what an independent dissector must find in them (tshark_test.py compares). The first line of the table
// names tshark's fields; an empty cell: the field must be absent; "*": anything.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/pcapng_writer.h"
#include "tests/support/naive_icrc.h"
#include "tests/support/random_packet.h"
#include "wire/bytes.h"
#include "wire/ethernet.h"

namespace rocelab::test {
namespace {

using wire::Encapsulation;
using wire::Opcode;
using wire::Packet;

const std::vector<std::string> kFields = {
    "eth.type",
    "vlan.id",
    "vlan.priority",
    "ip.id",
    "ip.dsfield",
    "ip.flags.df",
    "ipv6.tclass",
    "ipv6.flow",
    "udp.srcport",
    "udp.dstport",
    "infiniband.grh.tclass",
    "infiniband.grh.flowlabel",
    "infiniband.grh.nxthdr",
    "infiniband.grh.hoplmt",
    "infiniband.bth.opcode",
    "infiniband.bth.se",
    "infiniband.bth.m",
    "infiniband.bth.padcnt",
    "infiniband.bth.tver",
    "infiniband.bth.p_key",
    "infiniband.bth.destqp",
    "infiniband.bth.a",
    "infiniband.bth.psn",
    "infiniband.deth.q_key",
    "infiniband.deth.srcqp",
    "infiniband.reth.va",
    "infiniband.reth.r_key",
    "infiniband.reth.dmalen",
    "infiniband.atomiceth.swapdt",
    "infiniband.atomiceth.cmpdt",
    "infiniband.aeth.syndrome",
    "infiniband.aeth.msn",
    "infiniband.atomicacketh.origremdt",
    "infiniband.immdt",
    "infiniband.ieth",
    "infiniband.invariant.crc",
    "_ws.malformed",
};

using Row = std::map<std::string, std::string>;

void add_network(const Packet& packet, Row& row) {
  const wire::Path& path = packet.path;
  const auto set = [&row](const char* field, std::uint64_t value) { row[field] = std::to_string(value); };
  const bool v1 = path.encapsulation == Encapsulation::kRoceV1;
  const bool ipv4 = path.encapsulation == Encapsulation::kRoceV2Ipv4;
  const std::uint16_t type = v1 ? wire::ethertype::kRoceV1 : ipv4 ? wire::ethertype::kIpv4 : wire::ethertype::kIpv6;
  set("eth.type", path.has_vlan ? wire::ethertype::kVlan : type);
  if (path.has_vlan) {
    set("vlan.id", path.vlan_id);
    set("vlan.priority", path.priority);
  }
  if (v1) {
    set("infiniband.grh.tclass", path.traffic_class);
    set("infiniband.grh.flowlabel", path.flow_label);
    set("infiniband.grh.nxthdr", 0x1b);
    set("infiniband.grh.hoplmt", path.hop_limit);
    return;
  }
  set("udp.srcport", path.udp_source_port);
  set("udp.dstport", 4791);
  if (ipv4) {
    set("ip.id", path.ipv4_identification);
    set("ip.dsfield", path.traffic_class);
    set("ip.flags.df", 1);
  } else {
    set("ipv6.tclass", path.traffic_class);
    set("ipv6.flow", path.flow_label);
  }
}

void add_transport(const Packet& packet, Row& row) {
  const Opcode op = packet.bth.opcode;
  const auto set = [&row](const char* field, std::uint64_t value) { row[field] = std::to_string(value); };
  set("infiniband.bth.opcode", static_cast<std::uint8_t>(op));
  set("infiniband.bth.se", packet.bth.solicited);
  set("infiniband.bth.m", packet.bth.migrated);
  set("infiniband.bth.padcnt", (4 - packet.payload.length % 4) % 4);
  set("infiniband.bth.tver", 0);
  set("infiniband.bth.p_key", packet.bth.pkey);
  set("infiniband.bth.destqp", packet.bth.destination_qpn);
  set("infiniband.bth.a", packet.bth.ack_request);
  set("infiniband.bth.psn", packet.bth.psn.value());
  const bool release_1_5 = op == Opcode::kRcFlush || op == Opcode::kRcAtomicWrite;
  if (release_1_5 || transport_of(op) == wire::Transport::kXrc || transport_of(op) == wire::Transport::kSelective) {
    // tshark 4.0 reads the opcodes of XRC, of release 1.5 and of selective repeat as unknown: what follows the BTH is
    // left to the other tests.
    for (const std::string& field : kFields) {
      if (field.rfind("infiniband.", 0) == 0 && field.find(".bth.") == std::string::npos && row.count(field) == 0) {
        row.emplace(field, "*");
      }
    }
    return;
  }
  if (op == Opcode::kCnp) row.emplace("infiniband.invariant.crc", "*");  // tshark 4.0 takes it for payload
  if (has_deth(op)) {
    set("infiniband.deth.q_key", packet.deth.qkey);
    set("infiniband.deth.srcqp", packet.deth.source_qpn);
  }
  if (has_reth(op)) {
    set("infiniband.reth.va", packet.reth.virtual_address);
    set("infiniband.reth.r_key", packet.reth.rkey);
    set("infiniband.reth.dmalen", packet.reth.dma_length);
  }
  if (has_atomic_eth(op)) {  // tshark shows address and key of both headers under the same names
    set("infiniband.reth.va", packet.atomic_eth.virtual_address);
    set("infiniband.reth.r_key", packet.atomic_eth.rkey);
    set("infiniband.atomiceth.swapdt", packet.atomic_eth.swap_or_add);
    set("infiniband.atomiceth.cmpdt", packet.atomic_eth.compare);
  }
  if (has_aeth(op)) {
    set("infiniband.aeth.syndrome", packet.aeth.syndrome);
    set("infiniband.aeth.msn", packet.aeth.msn);
  }
  if (has_atomic_ack_eth(op)) set("infiniband.atomicacketh.origremdt", packet.atomic_ack_eth.original);
  if (has_immediate(op)) set("infiniband.immdt", packet.imm_dt.value);
  if (has_ieth(op)) set("infiniband.ieth", packet.ieth.rkey);
}

int write_packets(const char* capture, const char* table_path) {
  auto writer = net::PcapngWriter::create(capture);
  if (!writer) {
    std::fprintf(stderr, "%s\n", writer.error().c_str());
    return 1;
  }
  std::ofstream table(table_path);
  for (std::size_t i = 0; i < kFields.size(); ++i) table << (i == 0 ? "" : "\t") << kFields[i];
  table << "\n";
  const auto interface = writer->add_interface("random packets");
  base::Rng rng(1, "net.tshark");
  std::uint64_t ns = 1'700'000'000'000'000'000;
  for (const Encapsulation encapsulation : kEncapsulations) {
    for (const bool vlan : {false, true}) {
      for (const Opcode opcode : all_opcodes()) {
        auto owned = random_packet(rng, encapsulation, vlan, opcode, rng.below(200));
        owned.packet.bth.destination_qpn |= 0x100;  // not QP 0 or 1: tshark would look for a MAD
        // Padding is zeros: one byte of 8 would read as the Ethertype of IPv4, with which IPoIB's payloads begin.
        if (!owned.payload.empty()) owned.payload.front() |= std::byte{0xf0};
        // No port that another protocol claims: tshark would rather see that one.
        std::uint16_t& port = owned.packet.path.udp_source_port;
        if (encapsulation != Encapsulation::kRoceV1) port = static_cast<std::uint16_t>(0xc000 | (port & 0xff));
        const auto frame = encoded(owned.packet);
        writer->append(interface, ns += 1000, net::CaptureDirection::kOutbound, frame);
        Row row;
        add_network(owned.packet, row);
        add_transport(owned.packet, row);
        const auto icrc = naive_icrc(frame);
        if (row.count("infiniband.invariant.crc") == 0) {
          row["infiniband.invariant.crc"] = std::to_string(wire::load_be<std::uint32_t>(icrc.data()));
        }
        for (std::size_t i = 0; i < kFields.size(); ++i) table << (i == 0 ? "" : "\t") << row[kFields[i]];
        table << "\n";
      }
    }
  }
  return writer->flush() && table.good() ? 0 : 1;
}

}  // namespace
}  // namespace rocelab::test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: write_packets CAPTURE TABLE\n");
    return 2;
  }
  return rocelab::test::write_packets(argv[1], argv[2]);
}
