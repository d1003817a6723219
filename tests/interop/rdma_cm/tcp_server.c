// An ordinary TCP program for librspreload: serves one file's bytes to one client by HTTP/1.0, knowing nothing of RDMA.
// tcp_server ADDRESS PORT FILE. Also the client's opposite in that every call is checked: a short write is an error.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static void send_all(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, bytes, size, 0);
    must(sent > 0, "send");
    bytes += sent;
    size -= (size_t)sent;
  }
}

int main(int argc, char** argv) {
  must(argc == 4, "usage: tcp_server ADDRESS PORT FILE");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10))};
  must(inet_pton(AF_INET, argv[1], &address.sin_addr) == 1, "inet_pton");
  FILE* file = fopen(argv[3], "rb");
  must(file != NULL, "fopen");
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  must(listener >= 0, "socket");
  must(bind(listener, (struct sockaddr*)&address, sizeof address) == 0, "bind");
  must(listen(listener, 4) == 0, "listen");
  puts("listening");
  const int client = accept(listener, NULL, NULL);
  must(client >= 0, "accept");
  char request[4096];
  size_t length = 0;
  while (length < 4 || memcmp(request + length - 4, "\r\n\r\n", 4) != 0) {
    must(length < sizeof request, "a request of this length");
    const ssize_t got = recv(client, request + length, sizeof request - length, 0);
    must(got > 0, "recv");
    length += (size_t)got;
  }
  char bytes[4096];
  const char head[] = "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
  send_all(client, head, sizeof head - 1);
  size_t count;
  while ((count = fread(bytes, 1, sizeof bytes, file)) > 0) send_all(client, bytes, count);
  shutdown(client, SHUT_WR);
  close(client);
  close(listener);
  puts("served");
  return 0;
}
