#!/usr/bin/env bash
# A real Apache Kafka broker, redis-server and PostgreSQL on this machine, for trying things by hand and for the tests.
# Everything listens on 127.0.0.1 only, and nothing of it needs Docker.
#
# Usage: servers.sh COMMAND
#
#   kafka-up        start Apache Kafka (one node: broker and controller), fetched from Maven Central the first time
#   redis-up        start redis-server with an append-only file and maxmemory-policy noeviction
#   pg-up           start PostgreSQL for the books of the back office, with the user and the database "books"
#   topics          create the topics on that Kafka, where they are missing
#   status          say what runs where; exit 1 unless Kafka and Redis run
#   kafka-down      stop Kafka alone; what it stored stays
#   redis-down      stop Redis alone; what it stored stays
#   pg-down         stop PostgreSQL alone; what it stored stays
#   down            stop all; what they stored stays
#   wipe            stop all and delete what they stored
#   env             print DISBURSER_KAFKA=… and DISBURSER_REDIS=… of what runs: disburser.example.yaml reads them
#   with CMD ARG…   run CMD with servers of its own on free ports in a temporary directory, stop them, exit as CMD did.
#                   PostgreSQL is among them where it is installed, or can be
#
# Set by the environment:
#
#   KAFKA_PORT             9092; "auto" takes a free one
#   KAFKA_CONTROLLER_PORT  KAFKA_PORT + 1
#   REDIS_PORT             6379; "auto" takes a free one
#   PG_PORT                5432; "auto" takes a free one
#   DISBURSER_SERVERS_DIR  data, logs and pid files; default ~/.cache/disburser/servers.
#                          Another directory and other ports are other servers: any number can run side by side.
#   XDG_CACHE_HOME         ~/.cache; Kafka's jars are kept in its disburser/kafka-4.4.0
set -euo pipefail

readonly kafka_version=4.4.0
readonly here="${BASH_SOURCE[0]%/*}"
readonly cache="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/disburser"
readonly jars="$cache/kafka-$kafka_version"
readonly start_limit=60 # seconds; Kafka is up in 4 on two idle cores, a busy machine needs more
readonly stop_limit=20  # seconds from SIGTERM to SIGKILL; Kafka takes 2

# dir is where this set of servers lives; set again by `with`.
dir="${DISBURSER_SERVERS_DIR:-$cache/servers}"

say() { printf '%s\n' "$*"; }
die() {
	printf 'servers.sh: %s\n' "$*" >&2
	exit 1
}

# ---- what the servers need -----------------------------------------------------------------------------------------

# need COMMAND PACKAGE: the command is there, or is installed from Debian, or the way to get it is said.
need() {
	! command -v "$1" >/dev/null || return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		die "$1 is missing; install it (on Debian and Ubuntu: sudo apt-get install $2)"
	fi
	say "servers.sh: $1 is missing; installing $2" >&2
	apt_install "$2" >&2 || die "apt-get could not install $2"
	command -v "$1" >/dev/null || die "$2 is installed, but $1 is still missing"
}

# apt_install PACKAGE: without letting the package start a service of its own, which would take the port.
apt_install() (
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
	fi
	apt-get -qq -o DPkg::Lock::Timeout=120 update || exit
	apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$1"
)

need_java() {
	need java default-jre-headless
	local major
	major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
	[ "${major:-0}" -ge 17 ] || die "Kafka $kafka_version needs Java 17 or newer, found ${major:-an unknown version}"
}

# fetch_kafka puts Kafka's jars into $jars: whole or not at all, so that an interrupted download is simply begun again.
fetch_kafka() {
	[ ! -d "$jars" ] || return 0
	need mvn maven
	mkdir -p "$cache"
	local tmp
	tmp=$(mktemp -d "$cache/kafka-$kafka_version.XXXXXX")
	cat >"$tmp/pom.xml" <<-EOF
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		  <modelVersion>4.0.0</modelVersion>
		  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
		  <dependencies>
		    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
		    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
		  </dependencies>
		  <build><plugins><plugin>
		    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
		  </plugin></plugins></build>
		</project>
	EOF
	say "kafka: fetching $kafka_version from Maven Central (43 MB, once)"
	# --strict-checksums: a jar that does not match its checksum stops here.
	if ! mvn -q -B --strict-checksums -f "$tmp/pom.xml" dependency:copy-dependencies \
		-DoutputDirectory="$tmp/libs" -DincludeScope=runtime >"$tmp/log" 2>&1; then
		tail -n 15 "$tmp/log" >&2
		rm -rf "$tmp"
		die "Maven could not fetch Kafka $kafka_version (see above)"
	fi
	# Somebody else may have been faster; their jars are as good.
	mv -T "$tmp/libs" "$jars" 2>/dev/null || [ -d "$jars" ] || die "could not move the jars to $jars"
	rm -rf "$tmp"
}

# ---- ports and processes -------------------------------------------------------------------------------------------

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port VALUE DEFAULT: the port to use. "auto" looks below the ephemeral range, where no outgoing connection can sit.
port() {
	local p="${1:-$2}"
	if [ "$p" = auto ]; then
		for _ in {1..100}; do
			p=$((20000 + RANDOM % 12000))
			answers $p || answers $((p + 1)) || break
		done
	fi
	[[ $p =~ ^[1-9][0-9]{0,4}$ && $p -le 65535 ]] || die "'$p' is no port; use a number or auto"
	say "$p"
}

# running NAME: its process lives, and is ours: after a reboot the same number may be somebody else's.
running() {
	local pid args
	pid=$(cat "$dir/$1/pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
	if [ -r "/proc/$pid/cmdline" ]; then
		args=$(tr '\0' ' ' <"/proc/$pid/cmdline")
	else
		args=$(ps -p "$pid" -o args=)
	fi
	# redis-server shows its address instead of its arguments, and while it puts it there, nothing.
	case "$1 $args" in
	redis\ ) ;;
	kafka\ *"$dir/kafka/server.properties"*) ;;
	pg\ *"-D $(cat "$dir/pg/data" 2>/dev/null)"*) ;;
	redis\ *"redis-server 127.0.0.1:$(cat "$dir/redis/port" 2>/dev/null)"* | redis\ *"$dir/redis/redis.conf"*) ;;
	*) return 1 ;;
	esac
}

# launch NAME COMMAND…: in the background, out of reach of this terminal's Ctrl-C, its number in NAME/pid.
launch() {
	local name=$1 detach=()
	shift
	if command -v setsid >/dev/null; then detach=(setsid); fi
	# shellcheck disable=SC2016 # expanded by the inner shell, which becomes the server
	"${detach[@]}" bash -c 'echo $$ >"$1"; shift; exec "$@"' launch "$dir/$name/pid" "$@" \
		</dev/null >"$dir/$name/log" 2>&1 &
	disown
}

# ready NAME CHECK…: waits until the check succeeds; a server that died or takes too long shows the end of its log.
ready() {
	local name=$1 deadline=$((SECONDS + start_limit))
	shift
	until "$@" 2>/dev/null; do
		# Not "running": redis-server rewrites its arguments as it starts and has none for a moment. The number is of the
		# process that was launched just now, so there is nobody else's to be mistaken for it.
		if [ -s "$dir/$name/pid" ] && ! kill -0 "$(cat "$dir/$name/pid")" 2>/dev/null; then
			fail "$name" "died while starting"
		fi
		[ $SECONDS -lt $deadline ] || fail "$name" "was not ready within $start_limit s"
		sleep 0.1
	done
}

fail() {
	show_log "$1"
	stop "$1" >&2
	die "$1 $2"
}

show_log() {
	printf -- '---- the end of %s/%s/log\n' "$dir" "$1" >&2
	tail -n 20 "$dir/$1/log" >&2 || true
	printf -- '----\n' >&2
}

# stop NAME: SIGTERM, and SIGKILL for one that does not listen.
stop() {
	if ! running "$1"; then
		say "$1: not running"
		rm -f "$dir/$1/pid"
		return 0
	fi
	local pid deadline=$((SECONDS + stop_limit)) how=stopped signal=TERM
	pid=$(cat "$dir/$1/pid")
	[ "$1" != pg ] || signal=INT # at TERM it waits for its clients
	kill -$signal "$pid" 2>/dev/null || true
	while running "$1" && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
	if running "$1"; then
		kill -KILL "$pid" 2>/dev/null || true
		how="killed: it did not stop within $stop_limit s"
		while running "$1"; do sleep 0.1; done
	fi
	rm -f "$dir/$1/pid"
	say "$1: $how"
}

address() { say "127.0.0.1:$(cat "$dir/$1/port")"; }

# already NAME PORT: it runs; on another port than the one asked for is a mistake worth saying.
already() {
	local p
	p=$(cat "$dir/$1/port")
	if [ -n "$2" ] && [ "$2" != auto ] && [ "$2" != "$p" ]; then
		die "$1 runs on port $p already; stop it first, or set DISBURSER_SERVERS_DIR to run another one beside it"
	fi
	say "$1: already up on $(address "$1")"
}

free() { ! answers "$2" || die "port $2 is taken by another program; set $1 to another port, or to auto"; }

# ---- Kafka ---------------------------------------------------------------------------------------------------------

kafka_up() {
	if running kafka; then
		already kafka "${KAFKA_PORT:-}"
		return
	fi
	local p cp
	need_java
	fetch_kafka
	p=$(port "${KAFKA_PORT:-}" 9092)
	cp=$(port "${KAFKA_CONTROLLER_PORT:-}" $((p + 1)))
	free KAFKA_PORT "$p"
	free KAFKA_CONTROLLER_PORT "$cp"
	mkdir -p "$dir/kafka"
	rm -f "$dir/kafka/pid"
	say "$p" >"$dir/kafka/port"
	kafka_properties "$p" "$cp" >"$dir/kafka/server.properties"
	kafka_format
	launch kafka java -Xmx512m -XX:+UseSerialGC \
		-Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS" \
		-cp "$jars/*" kafka.Kafka "$dir/kafka/server.properties"
	ready kafka grep -q 'Kafka Server started' "$dir/kafka/log"
	say "kafka: up on $(address kafka) (Apache Kafka $kafka_version, data and log in $dir/kafka)"
}

# One node plays every part; internal topics can't have more copies than that. Topics are never made by a typo:
# the disburser names a missing one and refuses to start.
kafka_properties() {
	cat <<-EOF
		node.id=1
		process.roles=broker,controller
		controller.quorum.bootstrap.servers=127.0.0.1:$2
		listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
		advertised.listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
		controller.listener.names=CONTROLLER
		log.dirs=$dir/kafka/data
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		share.coordinator.state.topic.num.partitions=4
		group.initial.rebalance.delay.ms=0
	EOF
}

kafka_format() {
	[ ! -e "$dir/kafka/data/meta.properties" ] || return 0
	local tool=(java -Xmx256m -XX:+UseSerialGC -cp "$jars/*" kafka.tools.StorageTool) id
	id=$("${tool[@]}" random-uuid 2>/dev/null) || die "kafka: could not make a cluster id"
	"${tool[@]}" format --standalone -t "$id" -c "$dir/kafka/server.properties" >"$dir/kafka/log" 2>&1 ||
		fail kafka "could not format its storage"
}

topics() {
	running kafka || die "kafka does not run; start it with kafka-up"
	command -v go >/dev/null || die "go is missing; the topics are created by a Go program"
	(cd "$here/topics" && CGO_ENABLED=0 go run . "$(address kafka)")
}

# ---- Redis ---------------------------------------------------------------------------------------------------------

redis_up() {
	if running redis; then
		already redis "${REDIS_PORT:-}"
		return
	fi
	local p
	need redis-server redis-server
	p=$(port "${REDIS_PORT:-}" 6379)
	free REDIS_PORT "$p"
	mkdir -p "$dir/redis/data"
	rm -f "$dir/redis/pid"
	say "$p" >"$dir/redis/port"
	redis_conf "$p" >"$dir/redis/redis.conf"
	launch redis redis-server "$dir/redis/redis.conf"
	ready redis redis_ready "$p"
	say "redis: up on $(address redis) ($(redis-server --version | cut -d' ' -f1-3), data and log in $dir/redis)"
}

# What the disburser expects of a Redis that may be believed: everything logged, nothing evicted.
redis_conf() {
	cat <<-EOF
		bind 127.0.0.1
		port $1
		protected-mode yes
		daemonize no
		dir "$dir/redis/data"
		appendonly yes
		appendfsync everysec
		save ""
		maxmemory-policy noeviction
	EOF
}

# Accepting is not enough: while the append-only file is read, Redis answers -LOADING.
redis_ready() (
	exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'PING\r\n' >&3 && read -r -t 2 line <&3 &&
		[ "${line%$'\r'}" = +PONG ]
)

# ---- PostgreSQL ----------------------------------------------------------------------------------------------------

# pg_tool NAME: where Debian keeps it, or what the shell finds.
pg_tool() {
	local found
	found=$(find /usr/lib/postgresql -path "*/bin/$1" 2>/dev/null | sort -V | tail -n 1)
	if [ -n "$found" ]; then say "$found"; else command -v "$1"; fi
}

# pg_user: what comes before a command of PostgreSQL, which refuses to run as root.
pg_user=()
[ "$(id -u)" != 0 ] || pg_user=(setpriv --reuid=postgres --regid=postgres --clear-groups)

pg_up() {
	if running pg; then
		already pg "${PG_PORT:-}"
		return
	fi
	local p data
	[ -n "$(pg_tool postgres)" ] || need pg_createcluster postgresql
	p=$(port "${PG_PORT:-}" 5432)
	free PG_PORT "$p"
	mkdir -p "$dir/pg"
	rm -f "$dir/pg/pid"
	say "$p" >"$dir/pg/port"
	data=$(cat "$dir/pg/data" 2>/dev/null || true)
	if [ ! -d "$data" ]; then
		# Not below dir: another user may not look into root's folders.
		data=$(mktemp -d "${TMPDIR:-/tmp}/disburser-pg.XXXXXX")
		[ "$(id -u)" != 0 ] || chown postgres: "$data"
		say "$data" >"$dir/pg/data"
		(cd / && "${pg_user[@]}" "$(pg_tool initdb)" -D "$data" -U books -A trust -E UTF8 --locale=C -N) >"$dir/pg/log" 2>&1 ||
			fail pg "could not make its storage"
	fi
	launch pg "${pg_user[@]}" "$(pg_tool postgres)" -D "$data" -p "$p" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
	ready pg pg_ready "$p"
	pg_tool_says "$p" "SELECT 1 FROM pg_database WHERE datname = 'books'" | grep -q 1 || pg_tool_says "$p" "CREATE DATABASE books" >/dev/null
	say "pg: up on $(address pg) (user and database books, no password, data in $data)"
}

# pg_tool_says PORT SQL: what the server answers.
pg_tool_says() { "$(pg_tool psql)" -X -q -t -A -h 127.0.0.1 -p "$1" -U books -d postgres -c "$2"; }

pg_ready() { [ "$(pg_tool_says "$1" "SELECT 1")" = 1 ]; }

pg_address() { say "postgres://books@$(address pg)/books?sslmode=disable"; }

# ---- all -----------------------------------------------------------------------------------------------------------

status() {
	local name code=0
	! running pg || say "pg: up on $(address pg), pid $(cat "$dir/pg/pid")"
	for name in kafka redis; do
		if running $name; then
			say "$name: up on $(address $name), pid $(cat "$dir/$name/pid")"
		else
			say "$name: not running"
			code=1
		fi
	done
	return $code
}

print_env() {
	running kafka || die "kafka does not run"
	running redis || die "redis does not run"
	say "DISBURSER_KAFKA=$(address kafka)"
	say "DISBURSER_REDIS=$(address redis)"
}

down() {
	[ ! -e "$dir/pg" ] || stop pg
	stop redis
	stop kafka
}

wipe() {
	down
	[ ! -s "$dir/pg/data" ] || rm -rf "$(cat "$dir/pg/data")"
	rm -rf "$dir/kafka" "$dir/redis" "$dir/pg"
}

# with CMD ARG…: servers for one command. Nothing of them is left, however the command ends.
with() {
	[ $# -gt 0 ] || die "with: which command?"
	dir=$(mktemp -d "${TMPDIR:-/tmp}/disburser-servers.XXXXXX")
	export DISBURSER_SERVERS_DIR="$dir" KAFKA_PORT=auto REDIS_PORT=auto PG_PORT=auto
	unset KAFKA_CONTROLLER_PORT
	trap 'end_with $?' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	kafka_up
	redis_up
	export DISBURSER_POSTGRES=""
	if [ -n "$(pg_tool postgres)" ] || { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }; then
		pg_up
		DISBURSER_POSTGRES=$(pg_address)
	else
		say "pg: PostgreSQL is not installed: its tests are left out"
	fi
	DISBURSER_KAFKA=$(address kafka) DISBURSER_REDIS=$(address redis) "$@"
}

# end_with STATUS: stops and removes; after a failure it shows the log of a server that died, for it may be the reason.
end_with() {
	local name
	trap '' INT TERM
	for name in kafka redis pg; do
		[ "$1" = 0 ] || [ ! -s "$dir/$name/pid" ] || running $name || show_log $name
	done
	wipe
	rmdir "$dir"
	exit "$1"
}

usage() { sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

case "${1:-}" in
kafka-up) kafka_up ;;
redis-up) redis_up ;;
pg-up) pg_up ;;
topics) topics ;;
status) status ;;
env) print_env ;;
kafka-down) stop kafka ;;
redis-down) stop redis ;;
pg-down) stop pg ;;
down) down ;;
wipe) wipe ;;
with) shift && with "$@" ;;
help | -h | --help) usage ;;
*)
	usage >&2
	exit 2
	;;
esac
