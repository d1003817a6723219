// The table of counters: names as Linux rxe prints them in hw_counters, then ours. Read by `rocelab dev --counters`.
#include "rxe/counters.h"

#include <iterator>

namespace rocelab::rxe {

namespace {

constexpr CounterEntry kTable[] = {
    {"sent_pkts", &Counters::sent_pkts},
    {"rcvd_pkts", &Counters::rcvd_pkts},
    {"duplicate_request", &Counters::duplicate_request},
    {"out_of_seq_request", &Counters::out_of_seq_request},
    {"rcvd_rnr_err", &Counters::rcvd_rnr_err},
    {"send_rnr_err", &Counters::send_rnr_err},
    {"rcvd_seq_err", &Counters::rcvd_seq_err},
    {"ack_deferred", &Counters::ack_deferred},
    {"retry_exceeded_err", &Counters::retry_exceeded_err},
    {"retry_rnr_exceeded_err", &Counters::retry_rnr_exceeded_err},
    {"completer_retry_err", &Counters::completer_retry_err},
    {"send_err", &Counters::send_err},
    {"link_downed", &Counters::link_downed},
    {"rdma_sends", &Counters::rdma_sends},
    {"rdma_recvs", &Counters::rdma_recvs},
    {"resent_pkts", &Counters::resent_pkts},
    {"sent_bytes", &Counters::sent_bytes},
    {"rcvd_bytes", &Counters::rcvd_bytes},
    {"cnp_sent", &Counters::cnp_sent},
    {"cnp_handled", &Counters::cnp_handled},
    {"ecn_marked_rcvd", &Counters::ecn_marked_rcvd},
    {"drop_bad_qpn", &Counters::drop_bad_qpn},
    {"drop_qp_state", &Counters::drop_qp_state},
    {"drop_wrong_transport", &Counters::drop_wrong_transport},
    {"drop_bad_pkey", &Counters::drop_bad_pkey},
    {"drop_bad_qkey", &Counters::drop_bad_qkey},
    {"drop_wrong_peer", &Counters::drop_wrong_peer},
    {"drop_not_attached", &Counters::drop_not_attached},
    {"drop_no_receive", &Counters::drop_no_receive},
    {"drop_too_long", &Counters::drop_too_long},
    {"drop_bad_sequence", &Counters::drop_bad_sequence},
    {"drop_bad_response", &Counters::drop_bad_response},
    {"drop_access", &Counters::drop_access},
};
static_assert(sizeof(Counters) == std::size(kTable) * sizeof(std::uint64_t), "a counter is missing from the table");

}  // namespace

std::span<const CounterEntry> counter_table() { return kTable; }

}  // namespace rocelab::rxe
