// See limits.h. A charge is written first and compared then: of two processes that race for the last object both may be
// refused, but never are both served.
#include "runtime/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "runtime/config.h"
#include "runtime/host_page.h"
#include "rxe/types.h"

namespace rocelab::runtime {

static_assert(kDevicesMax * rxe::kResourceCount <= kUsageMax);

namespace {

using rxe::Resource;

struct Name {
  std::string_view text;
  Resource resource;
  const char* refusal;
};
constexpr Name kNames[] = {
    {"qp", Resource::kQp, "the host has as many QPs as its limit allows"},
    {"cq", Resource::kCq, "the host has as many CQs as its limit allows"},
    {"mr", Resource::kMr, "the host has as many memory regions as its limit allows"},
    {"mw", Resource::kMw, "the host has as many memory windows as its limit allows"},
    {"pd", Resource::kPd, "the host has as many protection domains as its limit allows"},
    {"srq", Resource::kSrq, "the host has as many shared receive queues as its limit allows"},
    {"ah", Resource::kAh, "the host has as many address handles as its limit allows"},
    {"memory", Resource::kRegisteredBytes, "the host has registered as much memory as its limit allows"},
};

std::size_t place(Resource resource) { return static_cast<std::size_t>(resource); }

std::optional<std::uint64_t> parse_amount(std::string_view text, bool bytes) {
  unsigned shift = 0;
  if (bytes && !text.empty()) {
    constexpr std::string_view kUnits = "KMG";
    if (const auto unit = kUnits.find(text.back()); unit != kUnits.npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      text.remove_suffix(1);
    }
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > (Limits::kNone >> shift)) return std::nullopt;
  return value << shift;
}

}  // namespace

base::TextResult<Limits> parse_limits(std::string_view text) {
  Limits limits;
  while (true) {
    const std::string_view entry = text.substr(0, text.find(','));
    const auto equals = entry.find('=');
    const std::string_view name = entry.substr(0, equals);
    std::uint64_t* target = name == "objects" ? &limits.objects : nullptr;
    for (const Name& known : kNames) {
      if (known.text == name) target = &limits.of[place(known.resource)];
    }
    if (target == nullptr || equals == entry.npos) return base::fail_text(fmt::format("`{}` is no limit", entry));
    if (*target != Limits::kNone) return base::fail_text(fmt::format("`{}` is there twice", name));
    const auto amount = parse_amount(entry.substr(equals + 1), name == "memory");
    if (!amount) return base::fail_text(fmt::format("`{}` has no number", entry));
    *target = *amount;
    if (entry.size() == text.size()) return limits;
    text.remove_prefix(entry.size() + 1);
  }
}

void lower(rxe::DeviceAttr& attr, const Limits& limits) {
  const auto cut = [&limits](std::uint32_t& value, Resource resource) {
    value = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, limits.of[place(resource)]));
  };
  cut(attr.max_qp, Resource::kQp);
  cut(attr.max_cq, Resource::kCq);
  cut(attr.max_mr, Resource::kMr);
  cut(attr.max_mw, Resource::kMw);
  cut(attr.max_pd, Resource::kPd);
  cut(attr.max_srq, Resource::kSrq);
  cut(attr.max_ah, Resource::kAh);
}

base::Result<void> Account::charge(Resource resource, std::uint64_t amount) {
  page_.add_usage(first_ + place(resource), static_cast<std::int64_t>(amount));
  if (exceeded(resource, false) && exceeded(resource, true)) {
    give_back(resource, amount);
    return base::fail(ENOMEM, kNames[place(resource)].refusal);
  }
  if (resource != Resource::kRegisteredBytes && too_many_objects(false) && too_many_objects(true)) {
    give_back(resource, amount);
    return base::fail(EAGAIN, "the host has as many RDMA objects as its limit allows");
  }
  return {};
}

void Account::give_back(Resource resource, std::uint64_t amount) noexcept {
  page_.add_usage(first_ + place(resource), -static_cast<std::int64_t>(amount));
}

bool Account::exceeded(Resource resource, bool bury_dead) const {
  const std::uint64_t limit = limits_.of[place(resource)];
  return limit != Limits::kNone && page_.usage(first_ + place(resource), bury_dead) > limit;
}

bool Account::too_many_objects(bool bury_dead) const {
  if (limits_.objects == Limits::kNone) return false;
  std::uint64_t sum = 0;
  for (const Name& name : kNames) {
    if (name.resource == Resource::kRegisteredBytes) continue;
    sum += page_.usage(first_ + place(name.resource), bury_dead);
    bury_dead = false;
  }
  return sum > limits_.objects;
}

}  // namespace rocelab::runtime
