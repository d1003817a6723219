// mm::RegionTable against a model: thousands of random calls; after each, random accesses must be judged alike. The
// model keeps what each key may do in a plain map and knows nothing of slots and variants.
#include <array>
#include <map>
#include <vector>

#include "base/rng.h"
#include "mm/region_table.h"
#include "tests/support/catch.h"

namespace rocelab::mm {

namespace {

struct Right {
  std::uint64_t addr = 0, length = 0;
  std::uint32_t access = 0, pd = 0, qpn = 0;
  std::byte* host = nullptr;
};

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : rng_(seed, "walk") {}

  void step() {
    switch (rng_.below(6)) {
      case 0:
        return add_region();
      case 1:
        return remove_region();
      case 2:
        return add_window();
      case 3:
        return bind();
      case 4:
        return invalidate();
      default:
        return remove_window();
    }
  }

  /// A random access, preferably near something that exists; true when table and model agree.
  bool probe() {
    std::uint32_t key = static_cast<std::uint32_t>(rng_.below(64) << 8 | rng_.below(256));
    if (!rights_.empty() && rng_.chance(9, 10)) key = std::next(rights_.begin(), pick(rights_.size()))->first;
    if (!dead_.empty() && rng_.chance(1, 8)) key = dead_[rng_.below(dead_.size())];
    const std::uint32_t pd = static_cast<std::uint32_t>(rng_.below(2)) + 1;
    const std::uint32_t qpn = static_cast<std::uint32_t>(rng_.below(2)) + 7;
    const std::uint64_t addr = kBase - 4 + rng_.below(kBytes + 8), length = rng_.below(kBytes / 2) + 1;
    const std::uint32_t need = rng_.chance(1, 2) ? access::kRemoteRead : access::kRemoteWrite;
    const Translation got = table_.check_remote(key, pd, qpn, addr, length, need);
    const auto found = rights_.find(key);
    const bool allowed = found != rights_.end() && found->second.pd == pd &&
                         (found->second.qpn == 0 || found->second.qpn == qpn) && (found->second.access & need) != 0 &&
                         addr >= found->second.addr && addr + length <= found->second.addr + found->second.length;
    if (got.ok() != allowed) return false;
    return !allowed || got.host == found->second.host + (addr - found->second.addr);
  }
  std::size_t allowed_keys() const { return rights_.size(); }

 private:
  static constexpr std::uint64_t kBase = 0x4000, kBytes = 256;

  long pick(std::size_t n) { return static_cast<long>(rng_.below(n)); }
  std::uint32_t random_access() {
    std::uint32_t rights = access::kMwBind | access::kLocalWrite;
    if (rng_.chance(1, 2)) rights |= access::kRemoteRead;
    if (rng_.chance(1, 2)) rights |= access::kRemoteWrite;
    return rights;
  }
  void drop(std::uint32_t key) {
    rights_.erase(key);
    dead_.push_back(key);
  }

  void add_region() {
    if (regions_.size() > 12) return;
    const std::uint32_t pd = static_cast<std::uint32_t>(rng_.below(2)) + 1, rights = random_access();
    const auto key =
        table_.register_region({.pd = pd, .host = memory_.data(), .length = kBytes, .iova = kBase, .access = rights});
    REQUIRE(key.has_value());
    revive(*key);
    rights_[*key] = {kBase, kBytes, rights, pd, 0, memory_.data()};
    regions_.push_back(*key);
  }
  void remove_region() {
    if (regions_.empty()) return;
    const auto it = regions_.begin() + pick(regions_.size());
    bool bound = false;
    for (const auto& [window, region] : bound_to_) bound = bound || region == *it;
    const auto removed = table_.deregister(*it >> 8);
    REQUIRE(removed.has_value() == !bound);
    if (bound) return;
    drop(*it);
    regions_.erase(it);
  }
  void add_window() {
    if (windows_.size() > 8) return;
    const bool type2 = rng_.chance(1, 2);
    const std::uint32_t pd = static_cast<std::uint32_t>(rng_.below(2)) + 1;
    const auto key = table_.allocate_window(pd, type2 ? WindowType::k2 : WindowType::k1);
    REQUIRE(key.has_value());
    revive(*key);
    windows_[*key >> 8] = {*key, pd, type2};
  }
  void bind() {
    if (windows_.empty() || regions_.empty()) return;
    auto& [id, window] = *std::next(windows_.begin(), pick(windows_.size()));
    const std::uint32_t region = regions_[rng_.below(regions_.size())];
    const std::uint64_t offset = rng_.below(kBytes), length = rng_.below(kBytes + 8) + 1;
    const std::uint32_t rights = rng_.chance(1, 2) ? access::kRemoteRead : access::kRemoteRead | access::kRemoteWrite;
    const std::uint32_t key = *table_.next_window_key(id), qpn = static_cast<std::uint32_t>(rng_.below(2)) + 7;
    const AccessFault fault = table_.bind({id, region >> 8, window.pd, qpn, key, kBase + offset, length, rights});
    const bool is_bound = bound_to_.contains(id);
    const bool allowed = !(window.type2 && is_bound) && rights_.at(region).pd == window.pd && offset + length <= kBytes;
    REQUIRE((fault == AccessFault::kNone) == allowed);
    if (!allowed) return;
    drop(window.key);
    revive(key);
    window.key = key;
    bound_to_[id] = region;
    rights_[key] = {kBase + offset, length, rights, window.pd, window.type2 ? qpn : 0, memory_.data() + offset};
  }
  void invalidate() {
    if (windows_.empty()) return;
    const auto& [id, window] = *std::next(windows_.begin(), pick(windows_.size()));
    const AccessFault fault = table_.invalidate_local(window.key, window.pd);
    REQUIRE((fault == AccessFault::kNone) == (window.type2 && bound_to_.contains(id)));
    if (fault != AccessFault::kNone) return;
    rights_.erase(window.key);
    bound_to_.erase(id);
  }
  void remove_window() {
    if (windows_.empty()) return;
    const auto it = std::next(windows_.begin(), pick(windows_.size()));
    REQUIRE(table_.deallocate_window(it->first).has_value());
    drop(it->second.key);
    bound_to_.erase(it->first);
    windows_.erase(it);
  }
  void revive(std::uint32_t key) { std::erase(dead_, key); }

  struct Window {
    std::uint32_t key = 0, pd = 0;
    bool type2 = false;
  };
  base::Rng rng_;
  RegionTable table_{RegionTable::Limits{}};
  std::array<std::byte, kBytes> memory_{};
  std::map<std::uint32_t, Right> rights_;  ///< what each living key may do
  std::vector<std::uint32_t> regions_;
  std::map<std::uint32_t, Window> windows_;          ///< by id
  std::map<std::uint32_t, std::uint32_t> bound_to_;  ///< window's id to region's key
  std::vector<std::uint32_t> dead_;
};

}  // namespace

TEST_CASE("mm: over random calls the table allows what a model allows and nothing else", "[mm][model]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Walk walk(seed);
    std::size_t seen = 0;
    for (int i = 0; i < 500; ++i) {
      walk.step();
      seen += walk.allowed_keys();
      for (int k = 0; k < 10; ++k) {
        if (!walk.probe()) FAIL("seed " << seed << " step " << i << ": table and model disagree");
      }
    }
    CHECK(seen > 500);
  }
}

}  // namespace rocelab::mm
