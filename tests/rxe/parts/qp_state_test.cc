// The QP state machine's table: compared as a whole with tests/rxe/golden/qp_state.txt, and its single promises.
#include "rxe/qp_state.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

constexpr QpType kTypes[] = {QpType::kRc,      QpType::kUc,      QpType::kUd,       QpType::kGsi,
                             QpType::kXrcSend, QpType::kXrcRecv, QpType::kRawPacket};

std::string yes(bool value, const char* word) { return value ? std::string(" ") + word : std::string(); }

std::string matrix() {
  std::ostringstream out;
  out << "# service: from -> to: required attributes; optional attributes. What is not listed is refused.\n";
  for (const QpType type : kTypes) {
    for (unsigned from = 0; from < kQpStateCount; ++from) {
      for (unsigned to = 0; to < kQpStateCount; ++to) {
        const auto a = static_cast<QpState>(from), b = static_cast<QpState>(to);
        const QpTransition transition = qp_transition(type, a, b);
        out << name(type) << ": " << name(a) << " -> " << name(b) << ": ";
        if (!transition.valid) {
          out << "refused\n";
          continue;
        }
        out << attribute_names(transition.required) << "; " << attribute_names(transition.optional) << '\n';
      }
    }
  }
  out << "# state: what a QP does in it\n";
  for (unsigned state = 0; state < kQpStateCount; ++state) {
    const auto s = static_cast<QpState>(state);
    out << name(s) << ':' << yes(may_post_send(s), "post_send") << yes(may_post_recv(s), "post_recv")
        << yes(processes_requests(s), "requests") << yes(processes_responses(s), "responses")
        << yes(begins_requests(s), "begins") << yes(flushes_sends(s), "flushes_sends")
        << yes(flushes_receives(s), "flushes_receives") << '\n';
  }
  return out.str();
}

}  // namespace

TEST_CASE("qp state: the whole matrix is the golden one", "[rxe][qp_state][golden]") {
  if (const char* path = std::getenv("ROCELAB_GOLDEN_OUT")) std::ofstream(path) << matrix();
  const char* path = std::getenv("ROCELAB_QP_STATE_GOLDEN");
  std::ifstream file(path != nullptr ? path : "tests/rxe/golden/qp_state.txt");
  REQUIRE(file.good());
  std::stringstream golden;
  golden << file.rdbuf();
  CHECK(matrix() == golden.str());
}

TEST_CASE("qp state: every state can be reset and every one but RESET put in error, without attributes",
          "[rxe][qp_state]") {
  for (const QpType type : kTypes) {
    for (unsigned from = 0; from < kQpStateCount; ++from) {
      const auto state = static_cast<QpState>(from);
      CHECK(check_modify(type, state, QpState::kReset, qp_attr::kState).has_value());
      CHECK(check_modify(type, state, QpState::kErr, qp_attr::kState).has_value() == (state != QpState::kReset));
      CHECK_FALSE(check_modify(type, state, QpState::kErr, qp_attr::kState | qp_attr::kAccessFlags).has_value());
    }
  }
}

TEST_CASE("qp state: each required attribute is missed, each foreign one refused", "[rxe][qp_state]") {
  for (const QpType type : kTypes) {
    for (unsigned from = 0; from < kQpStateCount; ++from) {
      for (unsigned to = 0; to < kQpStateCount; ++to) {
        const auto a = static_cast<QpState>(from), b = static_cast<QpState>(to);
        const QpTransition t = qp_transition(type, a, b);
        const std::uint32_t base = t.required | qp_attr::kState;
        REQUIRE(check_modify(type, a, b, base).has_value() == t.valid);
        if (!t.valid) continue;
        const bool knows_current = a == QpState::kRtr || a == QpState::kRts || a == QpState::kSqd || a == QpState::kSqe;
        for (std::uint32_t bit = 1; bit != 1u << 26; bit <<= 1) {
          if (bit == qp_attr::kState) continue;
          const bool required = (t.required & bit) != 0, permitted = required || (t.optional & bit) != 0;
          if (bit == qp_attr::kCurState && !knows_current) continue;
          const bool without = check_modify(type, a, b, base & ~bit).has_value();
          const bool with = check_modify(type, a, b, base | bit).has_value();
          if (without == required || with != permitted) {
            FAIL(name(type) << ' ' << name(a) << " -> " << name(b) << ": " << attribute_names(bit));
          }
        }
      }
    }
  }
}

TEST_CASE("qp state: cur_state only counts where the application may not know the state", "[rxe][qp_state]") {
  const std::uint32_t mask = qp_attr::kState | qp_attr::kCurState;
  CHECK(check_modify(QpType::kRc, QpState::kRts, QpState::kRts, mask).has_value());
  CHECK(check_modify(QpType::kRc, QpState::kInit, QpState::kInit, mask).error().code == EINVAL);
  CHECK(check_modify(QpType::kRc, QpState::kReset, QpState::kReset, mask).error().code == EINVAL);
}

TEST_CASE("qp state: a state that does not exist is EINVAL", "[rxe][qp_state]") {
  CHECK(check_modify(QpType::kRc, QpState::kRts, static_cast<QpState>(7), qp_attr::kState).error().code == EINVAL);
  CHECK(check_modify(QpType::kRc, QpState::kRts, static_cast<QpState>(255), qp_attr::kState).error().code == EINVAL);
}

TEST_CASE("qp state: attribute masks print by name", "[rxe][qp_state]") {
  CHECK(attribute_names(0) == "-");
  CHECK(attribute_names(qp_attr::kState | qp_attr::kPort) == "STATE|PORT");
}

}  // namespace rocelab::rxe
