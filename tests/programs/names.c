// getaddrinfo, gethostbyname, getnameinfo, getservbyname and friends, from many threads at once.
#include "check.h"
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>

static void* look(void* argument) {
  for (int i = 0; i < 20; i++) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
    CHECK(getaddrinfo("localhost", "80", &hints, &list) == 0 && list);
    struct sockaddr_in* address = (struct sockaddr_in*)list->ai_addr;
    CHECK(address->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && address->sin_port == htons(80));
    char host[100], service[20];
    CHECK(getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, service, sizeof service,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    CHECK(strcmp(host, "127.0.0.1") == 0 && strcmp(service, "80") == 0);
    freeaddrinfo(list);
    hints.ai_flags = AI_NUMERICHOST;
    CHECK(getaddrinfo("192.0.2.7", NULL, &hints, &list) == 0);
    freeaddrinfo(list);
    CHECK(getaddrinfo("not a number", NULL, &hints, &list) == EAI_NONAME);
    struct hostent entry, *result = NULL;
    char buffer[4096];
    int error;
    CHECK(gethostbyname_r("localhost", &entry, buffer, sizeof buffer, &result, &error) == 0 && result);
    CHECK(memcmp(entry.h_addr_list[0], "\x7f\0\0\1", 4) == 0);
    struct passwd user, *found = NULL;
    CHECK(getpwnam_r("root", &user, buffer, sizeof buffer, &found) == 0 && found && user.pw_uid == 0);
    sched_yield();
  }
  return argument;
}

int main(void) {
  pthread_t threads[16];
  for (int i = 0; i < 16; i++) threads[i] = start_thread(look, NULL);
  for (int i = 0; i < 16; i++) join_thread(threads[i]);
  struct hostent* host = gethostbyname("127.0.0.1");
  printf("%s %d\n", host->h_name, host->h_length);
  host = gethostbyname("no host");
  printf("%s, h_errno %d\n", host ? host->h_name : "none", h_errno == HOST_NOT_FOUND || h_errno == NO_RECOVERY || h_errno == TRY_AGAIN);
  struct addrinfo hints = {.ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST}, *list;
  printf("::1: %d\n", getaddrinfo("::1", "1", &hints, &list));
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  char name[100];
  printf("getnameinfo: %d ", getnameinfo((struct sockaddr*)&address, sizeof address, name, sizeof name, NULL, 0, NI_NUMERICHOST));
  puts(name);
  printf("root: %s\n", getgrgid(0)->gr_name);
  return success();
}
