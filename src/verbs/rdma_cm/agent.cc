// Files, ids and events of the rdma_cm device: see agent.h.
#include "verbs/rdma_cm/agent.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace rocelab::verbs::rdma_cm {

namespace {

constexpr const char* kNoFile = "the descriptor is not this process's: it was inherited by fork()";

}  // namespace

Agent::Agent(std::uint64_t seed) : random_(seed, "rdma_cm") {}
Agent::~Agent() = default;

// --- files ---------------------------------------------------------------------------------------------------------

int Agent::open(int flags) {
  auto file = std::make_shared<File>();
  if (file->ready.fd() < 0) return -EMFILE;
  const int fd = fcntl(file->ready.fd(), (flags & O_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
  if (fd < 0) return -errno;
  if ((flags & O_NONBLOCK) != 0) fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
  const std::lock_guard<std::mutex> lock(mutex_);
  files_[fd] = std::move(file);
  return fd;
}

void Agent::duplicated(int fd, int copy) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = files_.find(fd); found != files_.end()) {
    const std::shared_ptr<File> file = found->second;
    files_[copy] = file;
  }
}

void Agent::closing(int fd) {
  std::vector<Removed> removed;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = files_.find(fd);
    if (found == files_.end()) return;
    const std::shared_ptr<File> file = found->second;
    files_.erase(found);
    const bool last =
        std::none_of(files_.begin(), files_.end(), [&](const auto& entry) { return entry.second == file; });
    while (last && !file->ids.empty()) removed.push_back(remove(*file->ids.back()));
  }
  for (Removed& one : removed) dispose(std::move(one));
}

std::shared_ptr<File> Agent::file_of(int fd) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = files_.find(fd);
  return found == files_.end() ? nullptr : found->second;
}

// --- commands ------------------------------------------------------------------------------------------------------

Agent::CommandFunction Agent::function_of(std::uint32_t number) {
  switch (number) {
    case RDMA_USER_CM_CMD_CREATE_ID:
      return &Agent::create_id;
    case RDMA_USER_CM_CMD_DESTROY_ID:
      return &Agent::destroy_id;
    case RDMA_USER_CM_CMD_BIND_IP:
      return &Agent::bind_ip;
    case RDMA_USER_CM_CMD_RESOLVE_IP:
      return &Agent::resolve_ip;
    case RDMA_USER_CM_CMD_RESOLVE_ROUTE:
      return &Agent::resolve_route;
    case RDMA_USER_CM_CMD_QUERY_ROUTE:
      return &Agent::query_route;
    case RDMA_USER_CM_CMD_CONNECT:
      return &Agent::connect;
    case RDMA_USER_CM_CMD_LISTEN:
      return &Agent::listen;
    case RDMA_USER_CM_CMD_ACCEPT:
      return &Agent::accept;
    case RDMA_USER_CM_CMD_REJECT:
      return &Agent::reject;
    case RDMA_USER_CM_CMD_DISCONNECT:
      return &Agent::disconnect;
    case RDMA_USER_CM_CMD_INIT_QP_ATTR:
      return &Agent::init_qp_attr;
    case RDMA_USER_CM_CMD_GET_EVENT:
      return &Agent::next_event;
    case RDMA_USER_CM_CMD_SET_OPTION:
      return &Agent::set_option;
    case RDMA_USER_CM_CMD_NOTIFY:
      return &Agent::notify;
    case RDMA_USER_CM_CMD_JOIN_IP_MCAST:
      return &Agent::join_ip_multicast;
    case RDMA_USER_CM_CMD_LEAVE_MCAST:
      return &Agent::leave_multicast;
    case RDMA_USER_CM_CMD_MIGRATE_ID:
      return &Agent::migrate_id;
    case RDMA_USER_CM_CMD_QUERY:
      return &Agent::query;
    case RDMA_USER_CM_CMD_BIND:
      return &Agent::bind;
    case RDMA_USER_CM_CMD_RESOLVE_ADDR:
      return &Agent::resolve_addr;
    case RDMA_USER_CM_CMD_JOIN_MCAST:
      return &Agent::join_multicast;
    default:
      return nullptr;  // RDMA_USER_CM_CMD_GET_OPTION: the kernel never had it
  }
}

ssize_t Agent::write(int fd, const void* bytes, std::size_t size) {
  const std::shared_ptr<File> file = file_of(fd);
  if (file == nullptr) return -base::Error{ENODEV, kNoFile}.code;
  rdma_ucm_cmd_hdr header;
  if (size < sizeof(header)) return -EINVAL;
  if (bytes == nullptr) return -EFAULT;
  std::memcpy(&header, bytes, sizeof(header));
  if (header.cmd > RDMA_USER_CM_CMD_JOIN_MCAST || header.in > size - sizeof(header)) return -EINVAL;
  const CommandFunction function = function_of(header.cmd);
  if (function == nullptr) return -ENOSYS;
  const Command command{header.cmd, {static_cast<const std::byte*>(bytes) + sizeof(header), header.in}, header.out};
  const Result<void> done = (this->*function)(file, command);
  return done ? static_cast<ssize_t>(size) : -done.error().code;
}

// --- tables --------------------------------------------------------------------------------------------------------

Result<Id*> Agent::find(const File& file, std::uint32_t number) {
  if (number >= ids_.size() || ids_[number] == nullptr) return base::fail(ENOENT, "there is no such id");
  if (ids_[number]->file != &file) return base::fail(EINVAL, "the id belongs to another event channel");
  return ids_[number].get();
}

Result<Id*> Agent::insert(std::unique_ptr<Id> id, File& file) {
  if (free_numbers_.empty()) {
    if (ids_.size() >= kIdsMax) return base::fail(ENOMEM, "too many ids");
    free_numbers_.push(static_cast<std::uint32_t>(ids_.size()));
    ids_.emplace_back();
  }
  const std::uint32_t number = free_numbers_.top();
  free_numbers_.pop();
  id->number = number;
  id->file = &file;
  file.ids.push_back(id.get());
  ids_[number] = std::move(id);
  return ids_[number].get();
}

void Agent::enqueue(File& file, QueuedEvent event) {
  if (file.events.empty()) file.ready.raise();
  file.events.push_back(std::move(event));
}

void Agent::enqueue(Id& id, CmEvent event, std::int32_t status) {
  QueuedEvent queued;
  queued.id = &id;
  queued.reply.uid = id.uid;
  queued.reply.id = id.number;
  queued.reply.event = static_cast<std::uint32_t>(event);
  queued.reply.status = static_cast<std::uint32_t>(status);
  enqueue(*id.file, std::move(queued));
}

Agent::Removed Agent::remove(Id& id) {
  Removed removed;
  File& file = *id.file;
  for (auto event = file.events.begin(); event != file.events.end();) {
    if (event->id != &id) {
      ++event;
      continue;
    }
    if (event->incoming != nullptr) {
      event->incoming->closing = true;
      removed.incoming.push_back(std::move(event->incoming));
    }
    event = file.events.erase(event);
  }
  if (file.events.empty()) file.ready.lower();
  for (const auto& group : id.groups) groups_.erase(group->number);
  id.closing = true;
  file.ids.erase(std::find(file.ids.begin(), file.ids.end(), &id));
  removed.id = std::move(ids_[id.number]);
  free_numbers_.push(id.number);
  return removed;
}

void Agent::forget_events(File& file, const Multicast& group) {
  std::erase_if(file.events, [&](const QueuedEvent& event) { return event.multicast == &group; });
  if (file.events.empty()) file.ready.lower();
}

void Agent::dispose(std::unique_ptr<Id> id) {
  for (const Id::Listening& listening : id->listening) {
    static_cast<void>(listening.port->service.with_manager(
        [&](cm::Manager& manager, base::TimePoint now) { return manager.destroy_id(now, listening.cm); }));
  }
  if (id->cm && id->port != nullptr) {
    static_cast<void>(id->port->service.with_manager(
        [&](cm::Manager& manager, base::TimePoint now) { return manager.destroy_id(now, *id->cm); }));
  }
  // No event can name the id from here on.
  if (!id->binding) return;
  if (const auto any = port(0)) (*any)->service.release_port(id->binding->handle);
}

void Agent::dispose(Removed removed) {
  // The listener first: it can then have no more requests.
  dispose(std::move(removed.id));
  for (std::unique_ptr<Id>& incoming : removed.incoming) dispose(std::move(incoming));
}

// --- ids -----------------------------------------------------------------------------------------------------------

Result<void> Agent::create_id(const std::shared_ptr<File>& file, const Command& command) {
  if (auto room = check_room<rdma_ucm_create_id_resp>(command); !room) return room;
  const auto wanted = read_command<rdma_ucm_create_id>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  auto id = std::make_unique<Id>();
  id->uid = wanted->uid;
  id->space = static_cast<cm::PortSpace>(wanted->ps);
  switch (wanted->ps) {
    case RDMA_PS_TCP:
      break;
    case RDMA_PS_UDP:
    case RDMA_PS_IPOIB:
      id->qp_type = rxe::QpType::kUd;
      break;
    case RDMA_PS_IB:
      id->qp_type = static_cast<rxe::QpType>(wanted->qp_type);
      break;
    default:
      return base::fail(EINVAL, "no port space of rdma_cm");
  }
  id->is_datagram = id->qp_type == rxe::QpType::kUd;
  rdma_ucm_create_id_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    id->starting_psn = static_cast<std::uint32_t>(random_.next()) & 0xff'ffffu;
    const auto inserted = insert(std::move(id), *file);
    if (!inserted) return tl::make_unexpected(inserted.error());
    reply.id = (*inserted)->number;
  }
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

Result<void> Agent::destroy_id(const std::shared_ptr<File>& file, const Command& command) {
  if (auto room = check_room<rdma_ucm_destroy_id_resp>(command); !room) return room;
  const auto wanted = read_command<rdma_ucm_destroy_id>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  Removed removed;
  rdma_ucm_destroy_id_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(*file, wanted->id);
    if (!id) return tl::make_unexpected(id.error());
    reply.events_reported = (*id)->events_reported;
    removed = remove(**id);
  }
  dispose(std::move(removed));
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

Result<void> Agent::next_event(const std::shared_ptr<File>& file, const Command& command) {
  if (auto room = check_room<rdma_ucm_event_resp>(command, offsetof(rdma_ucm_event_resp, reserved)); !room) return room;
  const auto wanted = read_command<rdma_ucm_get_event>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!file->events.empty()) {
        QueuedEvent& event = file->events.front();
        if (event.incoming != nullptr) {
          Id& incoming = *event.incoming;
          const auto inserted = insert(std::move(event.incoming), *file);
          if (!inserted) return tl::make_unexpected(inserted.error());
          event.reply.id = incoming.number;
          ++event.id->backlog;
        }
        ++event.id->events_reported;
        if (event.multicast != nullptr) ++event.multicast->events_reported;
        const rdma_ucm_event_resp reply = event.reply;
        file->events.pop_front();
        if (file->events.empty()) {
          file->ready.lower();
        } else {
          file->ready.raise();
        }
        return write_reply(command, wanted->response, &reply, sizeof(reply));
      }
    }
    if (!file->ready.wait()) return base::fail(errno, "no event");
  }
}

Result<void> Agent::migrate_id(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_migrate_id>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const std::shared_ptr<File> from = file_of(static_cast<int>(wanted->fd));
  if (from == nullptr) return base::fail(ENOENT, "no event channel to migrate from");
  rdma_ucm_migrate_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(*from, wanted->id);
    if (!id) return tl::make_unexpected(id.error());
    reply.events_reported = (*id)->events_reported;
    if (from != file) {
      from->ids.erase(std::find(from->ids.begin(), from->ids.end(), *id));
      file->ids.push_back(*id);
      (*id)->file = file.get();
      for (auto event = from->events.begin(); event != from->events.end();) {
        if (event->id != *id) {
          ++event;
          continue;
        }
        if (event->incoming != nullptr) event->incoming->file = file.get();
        enqueue(*file, std::move(*event));
        event = from->events.erase(event);
      }
      if (from->events.empty()) from->ready.lower();
    }
  }
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

}  // namespace rocelab::verbs::rdma_cm
