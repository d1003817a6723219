// write_mads CAPTURE TABLE: writes a capture with management datagrams of every kind that tshark knows and a table of
// what it must find in them (tests/net/tshark_test.py compares). The first line names tshark's fields; an empty cell:
// the field must be absent.
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "net/frame_codec.h"
#include "net/pcapng_writer.h"
#include "tests/cm/random_message.h"

namespace rocelab::test {
namespace {

using Row = std::map<std::string, std::uint64_t>;

struct Fields {
  Row& row;
  void operator()(const cm::Req& m) const {
    row = {{"req", m.local_comm_id},
           {"req.serviceid", m.service_id},
           {"req.localcaguid", m.local_ca_guid},
           {"req.localqkey", m.local_qkey},
           {"req.localqpn", m.local_qpn},
           {"req.responderres", m.responder_resources},
           {"req.initdepth", m.initiator_depth},
           {"req.remoteresptout", m.remote_response_timeout},
           {"req.transpsvctype", static_cast<std::uint64_t>(m.transport)},
           {"req.e2eflowctrl", m.flow_control},
           {"req.startpsn", m.starting_psn},
           {"req.localresptout", m.local_response_timeout},
           {"req.retrcount", m.retry_count},
           {"req.pkey", m.pkey},
           {"req.pppmtu", m.path_mtu},
           {"req.rdcexist", m.rdc_exists},
           {"req.rnrretrcount", m.rnr_retry_count},
           {"req.maxcmretr", m.max_cm_retries},
           {"req.srq", m.srq},
           {"req.ext_transport", m.extended_transport}};
    path("prim_", m.primary);
    path("alt_", m.alternate);
  }
  void path(const std::string& which, const cm::RequestPath& path) const {
    const std::string name = "req." + which;
    row[name + "locallid"] = path.local_lid;
    row[name + "remotelid"] = path.remote_lid;
    // Not flow label and rate: tshark 4.0 looks for them a byte too early (messages_test.cc has the kernel's).
    row[name + "tfcclass"] = path.traffic_class;
    row[name + "hoplim"] = path.hop_limit;
    row[name + "sl"] = path.service_level;
    row[name + "subnetlocal"] = path.subnet_local;
    row[name + "localacktout"] = path.ack_timeout;
  }
  void operator()(const cm::Rep& m) const {
    row = {{"rep", m.local_comm_id},
           {"rep.remotecommid", m.remote_comm_id},
           {"rep.localqkey", m.local_qkey},
           {"rep.localqpn", m.local_qpn},
           {"rep.localeecn", m.local_eecn},
           {"rep.startpsn", m.starting_psn},
           {"rep.respres", m.responder_resources},
           {"rep.initdepth", m.initiator_depth},
           {"rep.tgtackdelay", m.target_ack_delay},
           {"rep.failoveracc", m.failover},
           {"rep.e2eflowctrl", m.flow_control},
           {"rep.rnrretrcount", m.rnr_retry_count},
           {"rep.srq", m.srq},
           {"rep.localcaguid", m.local_ca_guid}};
  }
  void operator()(const cm::Rtu& m) const {
    row = {{"rtu.localcommid", m.local_comm_id}, {"rtu.remotecommid", m.remote_comm_id}};
  }
  void operator()(const cm::Rej& m) const {
    row = {{"rej.localcommid", m.local_comm_id},
           {"rej.remotecommid", m.remote_comm_id},
           {"rej.msgrej", static_cast<std::uint64_t>(m.answered)},
           {"rej.rejinfolen", m.info_size},
           {"rej.reason", static_cast<std::uint64_t>(m.reason)}};
  }
  void operator()(const cm::Dreq& m) const {
    row = {{"dreq.localcommid", m.local_comm_id},
           {"dreq.remotecommid", m.remote_comm_id},
           {"req.remoteqpneecn", m.remote_qpn}};
  }
  void operator()(const cm::Drep& m) const {
    row = {{"drsp.localcommid", m.local_comm_id}, {"drsp.remotecommid", m.remote_comm_id}};
  }
  template <class M>
  void operator()(const M&) const {}  // tshark shows no fields
};

std::vector<std::byte> frame_of(const cm::Mad& mad) {
  std::array<std::byte, cm::kMadBytes> bytes;
  cm::emit_mad(mad, bytes);
  wire::Packet packet;
  packet.path.source_gid = wire::Gid::from_ipv4(0x0a4d'0001);
  packet.path.destination_gid = wire::Gid::from_ipv4(0x0a4d'0002);
  packet.path.udp_source_port = 0xc001;
  packet.bth.opcode = wire::Opcode::kUdSendOnly;
  packet.bth.destination_qpn = 1;
  packet.deth = {0x8001'0000, 1};
  packet.payload.data = bytes.data();
  packet.payload.length = cm::kMadBytes;
  std::vector<std::byte> frame(net::encoded_size(packet));
  frame.resize(net::encode_frame(packet, frame));
  return frame;
}

int write_mads(const char* capture, const char* table_path) {
  auto writer = net::PcapngWriter::create(capture);
  if (!writer) return std::fprintf(stderr, "%s\n", writer.error().c_str()), 1;
  const auto interface = writer->add_interface("random messages");
  base::Rng rng(1, "cm.tshark");
  std::vector<Row> rows;
  Row columns;
  std::uint64_t ns = 1'700'000'000'000'000'000;
  for (std::size_t i = 0; i < 20 * kMessageKinds; ++i) {
    cm::Message message = random_message(rng, i % kMessageKinds);
    // A service id of annex A11 would be shown by its parts.
    if (auto* req = std::get_if<cm::Req>(&message)) req->service_id |= 1ull << 63;
    const cm::Mad mad{rng.next(), message};
    writer->append(interface, ns += 1000, net::CaptureDirection::kOutbound, frame_of(mad));
    Row fields, row;
    std::visit(Fields{fields}, message);
    for (const auto& [name, value] : fields) row["infiniband.cm." + name] = value;
    row["infiniband.mad.transactionid"] = mad.transaction_id;
    row["infiniband.mad.attributeid"] = static_cast<std::uint64_t>(attribute_of(message));
    row["infiniband.bth.destqp"] = 1;
    columns.insert(row.begin(), row.end());
    rows.push_back(std::move(row));
  }
  std::ofstream table(table_path);
  const char* separator = "";
  for (const auto& [name, value] : columns) table << std::exchange(separator, "\t") << name;
  table << "\n";
  for (const Row& row : rows) {
    separator = "";
    for (const auto& [name, value] : columns) {
      table << std::exchange(separator, "\t");
      if (const auto found = row.find(name); found != row.end()) table << found->second;
    }
    table << "\n";
  }
  return writer->flush() && table.good() ? 0 : 1;
}

}  // namespace
}  // namespace rocelab::test

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: write_mads CAPTURE TABLE\n"), 2;
  return rocelab::test::write_mads(argv[1], argv[2]);
}
