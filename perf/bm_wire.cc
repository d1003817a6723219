// Micro-benchmarks of the wire formats: encode (headers, copied payload, ICRC), decode (every check, ICRC), the ICRC
// alone, and the CRC that bounds it. Argument: bytes of payload. Packets lie in the cache, as they do in a burst.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/frame_codec.h"
#include "perf/cycles.h"
#include "roce_v1/encapsulation.h"
#include "roce_v2/encapsulation.h"
#include "wire/ethernet.h"
#include "wire/icrc.h"

namespace rocelab::perf {
namespace {

using wire::Encapsulation;

std::vector<std::byte> pattern(std::size_t bytes) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 7 + 1);
  return data;
}

wire::Packet write_packet(Encapsulation encapsulation, const std::vector<std::byte>& payload) {
  wire::Packet packet;
  packet.path.encapsulation = encapsulation;
  packet.path.source_gid = wire::Gid::from_ipv4(0x0a4d0001);
  packet.path.destination_gid = wire::Gid::from_ipv4(0x0a4d0002);
  packet.path.udp_source_port = 0xc123;
  packet.bth.opcode = wire::Opcode::kRcRdmaWriteOnly;
  packet.bth.destination_qpn = 0x12;
  packet.bth.psn = wire::Psn(1000);
  packet.reth = {0x1000, 0x4711, static_cast<std::uint32_t>(payload.size())};
  packet.payload = {payload.data(), static_cast<std::uint32_t>(payload.size()), {}};
  return packet;
}

std::vector<std::byte> encoded(const wire::Packet& packet) {
  std::vector<std::byte> frame(net::encoded_size(packet));
  net::encode_frame(packet, frame);
  return frame;
}

void BM_encode(benchmark::State& state, Encapsulation encapsulation) {
  const auto payload = pattern(static_cast<std::size_t>(state.range(0)));
  wire::Packet packet = write_packet(encapsulation, payload);
  std::vector<std::byte> frame(net::kFrameBytesMax);
  {
    const CountCycles cycles(state);
    for ([[maybe_unused]] auto _ : state) {
      ++packet.bth.psn;
      benchmark::DoNotOptimize(net::encode_frame(packet, frame));
      benchmark::ClobberMemory();
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// The same payload in four pieces, as a scatter/gather list gives it.
void BM_encode_gather(benchmark::State& state) {
  const auto payload = pattern(static_cast<std::size_t>(state.range(0)));
  wire::Packet packet = write_packet(Encapsulation::kRoceV2Ipv4, payload);
  const auto piece = static_cast<std::uint32_t>(payload.size() / 4);
  const std::array<wire::Segment, 4> pieces = {{{payload.data(), piece},
                                                {payload.data() + piece, piece},
                                                {payload.data() + 2 * piece, piece},
                                                {payload.data() + 3 * piece, piece}}};
  packet.payload.pieces = pieces;
  std::vector<std::byte> frame(net::kFrameBytesMax);
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) {
    ++packet.bth.psn;
    benchmark::DoNotOptimize(net::encode_frame(packet, frame));
    benchmark::ClobberMemory();
  }
}

void BM_decode(benchmark::State& state, Encapsulation encapsulation) {
  const auto payload = pattern(static_cast<std::size_t>(state.range(0)));
  const auto frame = encoded(write_packet(encapsulation, payload));
  wire::Packet packet;
  {
    const CountCycles cycles(state);
    for ([[maybe_unused]] auto _ : state) {
      if (!net::decode_frame(frame, packet)) state.SkipWithError("the frame does not decode");
      benchmark::DoNotOptimize(packet);
    }
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void BM_icrc(benchmark::State& state, Encapsulation encapsulation) {
  const auto payload = pattern(static_cast<std::size_t>(state.range(0)));
  const auto frame = encoded(write_packet(encapsulation, payload));
  const std::byte* network = frame.data() + wire::EthernetHeader::kSize;
  const std::size_t bytes = frame.size() - wire::EthernetHeader::kSize - net::kIcrcBytes;
  const auto icrc = encapsulation == Encapsulation::kRoceV1       ? roce_v1::icrc
                    : encapsulation == Encapsulation::kRoceV2Ipv4 ? roce_v2::icrc_ipv4
                                                                  : roce_v2::icrc_ipv6;
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(icrc(network, bytes));
}

void BM_crc32(benchmark::State& state) {
  const auto data = pattern(static_cast<std::size_t>(state.range(0)));
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(wire::crc32_continue(0, data.data(), data.size()));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t bytes : {64, 256, 1024, 4096}) benchmark->Arg(bytes);
}

BENCHMARK_CAPTURE(BM_encode, v2_ipv4, Encapsulation::kRoceV2Ipv4)->Apply(sizes);
BENCHMARK_CAPTURE(BM_encode, v2_ipv6, Encapsulation::kRoceV2Ipv6)->Apply(sizes);
BENCHMARK_CAPTURE(BM_encode, v1, Encapsulation::kRoceV1)->Apply(sizes);
BENCHMARK(BM_encode_gather)->Apply(sizes);
BENCHMARK_CAPTURE(BM_decode, v2_ipv4, Encapsulation::kRoceV2Ipv4)->Apply(sizes);
BENCHMARK_CAPTURE(BM_decode, v2_ipv6, Encapsulation::kRoceV2Ipv6)->Apply(sizes);
BENCHMARK_CAPTURE(BM_decode, v1, Encapsulation::kRoceV1)->Apply(sizes);
BENCHMARK_CAPTURE(BM_icrc, v2_ipv4, Encapsulation::kRoceV2Ipv4)->Apply(sizes);
BENCHMARK_CAPTURE(BM_icrc, v2_ipv6, Encapsulation::kRoceV2Ipv6)->Apply(sizes);
BENCHMARK_CAPTURE(BM_icrc, v1, Encapsulation::kRoceV1)->Apply(sizes);
BENCHMARK(BM_crc32)->Apply(sizes);

}  // namespace
}  // namespace rocelab::perf
