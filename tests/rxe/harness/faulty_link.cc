// See faulty_link.h.
#include "tests/rxe/harness/faulty_link.h"

#include <algorithm>

#include "net/frame_codec.h"

namespace rocelab::test {

FaultyLink::FaultyLink(std::uint64_t seed, std::string_view name, bool wire_exact)
    : rng_(seed, name), wire_exact_(wire_exact) {}

void FaultyLink::drop_nth(std::uint64_t n) { drops_.push_back(tally_.sent + n); }

void FaultyLink::drop_if(Match match, unsigned times) {
  scripts_.push_back({ScriptKind::kDrop, std::move(match), base::Duration(), times});
}

void FaultyLink::delay_if(Match match, base::Duration extra, unsigned times) {
  scripts_.push_back({ScriptKind::kDelay, std::move(match), extra, times});
}

void FaultyLink::duplicate_if(Match match, unsigned times) {
  scripts_.push_back({ScriptKind::kDuplicate, std::move(match), base::Duration(), times});
}

const FaultyLink::Script* FaultyLink::scripted(const wire::Packet& packet, ScriptKind kind) {
  for (Script& script : scripts_) {
    if (script.kind != kind || script.times == 0 || !script.match(packet)) continue;
    --script.times;
    return &script;
  }
  return nullptr;
}

void FaultyLink::send(base::TimePoint now, const wire::Packet& packet) {
  ++tally_.sent;
  const bool by_number = std::find(drops_.begin(), drops_.end(), tally_.sent) != drops_.end();
  if (cut_ || by_number || scripted(packet, ScriptKind::kDrop) != nullptr || rng_.chance(faults.loss, 1000)) {
    ++tally_.lost;
    return;
  }
  base::Duration extra;
  if (const Script* script = scripted(packet, ScriptKind::kDelay)) extra = script->extra;
  if (rng_.chance(faults.reorder, 1000)) {
    ++tally_.reordered;
    extra = extra + faults.delay * static_cast<std::int64_t>(rng_.below(8) + 1);
  }
  launch(now, packet, extra);
  if (scripted(packet, ScriptKind::kDuplicate) != nullptr || rng_.chance(faults.duplicate, 1000)) {
    ++tally_.duplicated;
    launch(now, packet, faults.delay * static_cast<std::int64_t>(rng_.below(4)));
  }
}

void FaultyLink::launch(base::TimePoint now, const wire::Packet& packet, base::Duration extra) {
  Flying flying;
  flying.packet = OwnedPacket(packet);
  wire::Packet& header = flying.packet.header();
  if ((header.path.traffic_class & 3u) != 0 && rng_.chance(faults.ecn, 1000)) header.path.traffic_class |= 3u;
  if (wire_exact_ && !flying.packet.elided()) {
    const wire::Packet& whole = flying.packet.view();
    flying.frame.resize(net::encoded_size(whole));
    flying.frame.resize(net::encode_frame(whole, flying.frame));
  }
  if (rng_.chance(faults.corrupt, 1000)) damage(flying);
  flying_.emplace(std::pair{(now + faults.delay + extra).count_ps(), ++order_}, std::move(flying));
}

void FaultyLink::damage(Flying& flying) {
  ++tally_.corrupted;
  flying.corrupt = true;
  if (flying.frame.empty()) return;
  if (rng_.chance(1, 8)) {  // cut short
    flying.frame.resize(static_cast<std::size_t>(rng_.below(flying.frame.size())));
    return;
  }
  // What the ICRC protects: addresses of the link layer and the masked fields of the IP header have other guards
  // (FCS, header checksum), so the flipped bits lie in BTH's protected part or behind it.
  const std::size_t tail = flying.packet.header().payload.length + 12 + 4;  // BTH + ICRC at least
  const std::size_t first = flying.frame.size() > tail ? flying.frame.size() - tail + 5 : 0;
  for (std::uint64_t flips = rng_.below(3) + 1; flips > 0; --flips) {
    const std::size_t at = first + static_cast<std::size_t>(rng_.below(flying.frame.size() - first));
    flying.frame[at] ^= static_cast<std::byte>(1u << rng_.below(8));
  }
}

std::optional<base::TimePoint> FaultyLink::next_arrival() const {
  if (flying_.empty()) return std::nullopt;
  return base::TimePoint::from_ps(flying_.begin()->first.first);
}

bool FaultyLink::take(base::TimePoint now, OwnedPacket& out) {
  while (!flying_.empty() && flying_.begin()->first.first <= now.count_ps()) {
    Flying flying = std::move(flying_.begin()->second);
    flying_.erase(flying_.begin());
    if (flying.frame.empty()) {
      if (flying.corrupt) {
        ++tally_.rejected;
        continue;
      }
      out = std::move(flying.packet);
    } else {
      wire::Packet decoded{};
      if (!net::decode_frame(flying.frame, decoded)) {
        ++tally_.rejected;
        continue;
      }
      out = OwnedPacket(decoded);
    }
    ++tally_.delivered;
    return true;
  }
  return false;
}

}  // namespace rocelab::test
