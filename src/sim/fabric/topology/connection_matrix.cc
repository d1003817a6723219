// Parser of htsim's connection matrices; see connection_matrix.h.
#include "sim/fabric/topology/connection_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "sim/fabric/topology/text.h"
#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kIdMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kBytesMax = 1ull << 50;
constexpr std::uint64_t kCountMax = 100'000'000;

using Words = std::vector<std::string_view>;
using Checked = base::TextResult<void>;

class MatrixParser {
 public:
  MatrixParser(std::string_view text, std::string_view file) : lines_(text, file) {}

  base::TextResult<ConnectionMatrix> parse() {
    Words words;
    while (lines_.next(words)) {
      if (auto good = line(words); !good) return base::fail_text(good.error());
    }
    if (auto good = finish(); !good) return base::fail_text(good.error());
    return std::move(matrix_);
  }

 private:
  Checked line(const Words& words) {
    const std::string_view first = words.front();
    if (first.find("->") != std::string_view::npos) return connection(words);
    if (first == "trigger") return trigger(words);
    if (first == "failure") return failure(words);
    for (Header& header : headers_) {
      if (first == header.key) return count(words, header);
    }
    return lines_.fail(shown(first),
                       "unknown: expected Nodes, Connections, Triggers, Failures, A->B, trigger or failure");
  }

  struct Header {
    std::string_view key;
    std::uint64_t most;
    std::optional<std::uint64_t> value;
  };

  Checked count(const Words& words, Header& header) {
    if (words.size() != 2) return lines_.fail(header.key, "expected one number after it");
    if (header.value) return lines_.fail(header.key, "given twice");
    header.value = parse_number(words[1]);
    if (header.value && *header.value <= header.most) return {};
    return lines_.fail(header.key, fmt::format("{}: expected a number from 0 to {}", shown(words[1]), header.most));
  }

  /// The number behind the key words[i]; moves i onto it.
  base::TextResult<std::uint64_t> value(const Words& words, std::size_t& i, std::uint64_t least, std::uint64_t most) {
    const std::string_view key = words[i];
    if (++i >= words.size()) return lines_.fail(key, "expected a number after it");
    const auto number = parse_number(words[i]);
    if (number && *number >= least && *number <= most) return *number;
    return lines_.fail(key, fmt::format("{}: expected a number from {} to {}", shown(words[i]), least, most));
  }

  Checked host(std::string_view word, std::string_view key, std::uint32_t& host) {
    if (!headers_[0].value) return lines_.fail("Nodes", "missing before the first connection");
    const auto number = parse_number(word);
    if (!number || *number >= *headers_[0].value) {
      return lines_.fail(key, fmt::format("{}: expected a host from 0 to {}", shown(word),
                                          static_cast<std::int64_t>(*headers_[0].value) - 1));
    }
    host = static_cast<std::uint32_t>(*number);
    return {};
  }

  Checked connection(const Words& words) {
    MatrixConnection c;
    c.line = lines_.line();
    const std::size_t arrow = words.front().find("->");
    if (auto good = host(words.front().substr(0, arrow), "source", c.source); !good) return good;
    if (auto good = host(words.front().substr(arrow + 2), "destination", c.destination); !good) return good;
    if (c.source == c.destination) return lines_.fail("destination", fmt::format("host {} sends to itself", c.source));
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (auto good = attribute(words, i, c); !good) return good;
    }
    if (c.bytes == 0) return lines_.fail("size", "missing");
    if (c.start && c.trigger != 0) return lines_.fail("trigger", "given beside `start`");
    if (!c.start && c.trigger == 0) return lines_.fail("start", "missing: neither `start` nor `trigger` is given");
    matrix_.connections.push_back(c);
    return {};
  }

  Checked attribute(const Words& words, std::size_t& i, MatrixConnection& c) {
    const std::string_view key = words[i];
    if (key == "addon") {
      c.added_on_trigger = true;
      return {};
    }
    if (key == "start") {
      if (++i >= words.size()) return lines_.fail(key, "expected a number after it");
      const auto ps = parse_decimal(words[i], 0);
      if (!ps || *ps > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return lines_.fail(key, fmt::format("{}: expected picoseconds", shown(words[i])));
      }
      c.start = base::TimePoint::from_ps(*ps);
      return {};
    }
    std::uint32_t priority = 0;
    struct Field {
      std::string_view key;
      std::uint32_t* field;
    };
    for (const Field& field :
         {Field{"id", &c.id}, Field{"trigger", &c.trigger}, Field{"prio", &priority},
          Field{"send_done_trigger", &c.send_done_trigger}, Field{"recv_done_trigger", &c.receive_done_trigger}}) {
      if (key != field.key) continue;
      const auto number = value(words, i, key == "prio" ? 0 : 1, kIdMax);
      if (!number) return base::fail_text(number.error());
      *field.field = static_cast<std::uint32_t>(*number);
      if (key == "prio") c.priority = priority;
      return {};
    }
    if (key != "size") {
      return lines_.fail(
          shown(key), "unknown: expected id, start, size, trigger, send_done_trigger, recv_done_trigger, prio, addon");
    }
    const auto bytes = value(words, i, 1, kBytesMax);
    if (!bytes) return base::fail_text(bytes.error());
    c.bytes = *bytes;
    return {};
  }

  Checked trigger(const Words& words) {
    MatrixTrigger t;
    bool kind = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string_view key = words[i];
      if (key == "id" || key == "count") {
        const auto number = value(words, i, 1, kIdMax);
        if (!number) return base::fail_text(number.error());
        (key == "id" ? t.id : t.count) = static_cast<std::uint32_t>(*number);
        continue;
      }
      if (key != "oneshot" && key != "multishot" && key != "barrier") {
        return lines_.fail(shown(key), "unknown: expected id, count, oneshot, multishot or barrier");
      }
      if (kind) return lines_.fail(key, "a second kind of trigger on one line");
      kind = true;
      t.kind = key == "oneshot" ? MatrixTriggerKind::kOneShot
                                : (key == "multishot" ? MatrixTriggerKind::kMultiShot : MatrixTriggerKind::kBarrier);
    }
    if (t.id == 0) return lines_.fail("id", "missing");
    if (!kind) return lines_.fail("trigger", "expected oneshot, multishot or barrier");
    if (t.kind == MatrixTriggerKind::kBarrier && t.count == 0)
      return lines_.fail("count", "missing: a barrier waits for that many");
    t.line = lines_.line();
    matrix_.triggers.push_back(t);
    return {};
  }

  Checked failure(const Words& words) {
    MatrixFailure f;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string_view key = words[i];
      if (key == "switch_type") {
        const std::string_view type = ++i < words.size() ? words[i] : std::string_view();
        if (type != "TOR" && type != "AGG" && type != "CORE") {
          return lines_.fail(key, fmt::format("{}: expected TOR, AGG or CORE", shown(type)));
        }
        f.tier = type == "TOR" ? 1 : (type == "AGG" ? 2 : 3);
        continue;
      }
      if (key != "switch_id" && key != "link_id") {
        return lines_.fail(shown(key), "unknown: expected switch_type, switch_id or link_id");
      }
      const auto number = value(words, i, 0, kSwitchesMax);
      if (!number) return base::fail_text(number.error());
      (key == "switch_id" ? f.switch_id : f.link_id) = static_cast<std::uint32_t>(*number);
    }
    matrix_.failures.push_back(f);
    return {};
  }

  Checked finish() {
    if (!headers_[0].value) return lines_.fail("Nodes", "missing");
    matrix_.nodes = static_cast<std::uint32_t>(*headers_[0].value);
    const std::size_t found[] = {0, matrix_.connections.size(), matrix_.triggers.size(), matrix_.failures.size()};
    for (std::size_t i = 1; i < headers_.size(); ++i) {
      const std::uint64_t announced = headers_[i].value.value_or(0);
      if (announced != found[i]) {
        return lines_.fail(headers_[i].key, fmt::format("{} announced, {} found", announced, found[i]));
      }
    }
    return check_triggers();
  }

  Checked check_triggers() {
    std::vector<MatrixTrigger> known = matrix_.triggers;
    std::stable_sort(known.begin(), known.end(),
                     [](const MatrixTrigger& a, const MatrixTrigger& b) { return a.id < b.id; });
    for (std::size_t i = 1; i < known.size(); ++i) {
      if (known[i].id != known[i - 1].id) continue;
      return lines_.fail_at(known[i].line, "id",
                            fmt::format("trigger {} is described on line {} too", known[i].id, known[i - 1].line));
    }
    for (const MatrixConnection& c : matrix_.connections) {
      for (const std::uint32_t id : {c.trigger, c.send_done_trigger, c.receive_done_trigger}) {
        const auto found = std::lower_bound(known.begin(), known.end(), id,
                                            [](const MatrixTrigger& t, std::uint32_t i) { return t.id < i; });
        if (id == 0 || (found != known.end() && found->id == id)) continue;
        return lines_.fail_at(c.line, "trigger", fmt::format("trigger {} is not described", id));
      }
    }
    return {};
  }

  LineReader lines_;
  ConnectionMatrix matrix_;
  std::array<Header, 4> headers_ = {Header{"Nodes", kHostsMax, {}}, Header{"Connections", kCountMax, {}},
                                    Header{"Triggers", kCountMax, {}}, Header{"Failures", kCountMax, {}}};
};

}  // namespace

base::TextResult<ConnectionMatrix> parse_connection_matrix(std::string_view text, std::string_view file) {
  return MatrixParser(text, file).parse();
}

}  // namespace rocelab::sim
