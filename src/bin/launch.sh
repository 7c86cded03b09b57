# Sourced by the launchers beside it, with $self (the launcher's file), $name, $role and $entry (below src): starts $entry on
# the first working Node of version 24 or newer, the one that npm installed beside the code, else the one on the PATH. A cron job's PATH
# may lead to an old Node, and the installed binary does not run on every C library, so each is asked for its version, which also shows
# that it runs.
root=$(cd "$(dirname "$self")/../.." && pwd) || exit 1

# What a role makes of an archive, a batch or a set is gone with it. V8's own young generation, and a thread for each of four processors, keep
# 100 MB of that. Pieces of memory go back to the system only where each is a mapping of its own (glibc): of ingress that is some ten KiB,
# unfinished headers, and what was read of bodies lies outside of the heap until a collection, which with little room for new objects is soon.
flags= mapped=
case $role in
  ingress) flags=--max-semi-space-size=2 mapped=32768 ;;
  data-pipeline) flags='--max-semi-space-size=8 --v8-pool-size=1' ;;
  writer | notifier) flags='--max-semi-space-size=4 --v8-pool-size=1' mapped=131072 ;;
esac
case ${NODE_OPTIONS-} in *semi-space*) flags= ;; esac
[ -z "$mapped" ] || export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-$mapped}"

# Compiled code is kept between starts, in a folder of this user alone: what lies there is executed. Where there is no such folder, or
# somebody else may write in it or put another in its place (a root shell with a user's HOME, a group's folder), a start compiles as
# always. NODE_DISABLE_COMPILE_CACHE=1 switches this off.
is_private() {
  [ -O "$1" ] || return 1
  case $(ls -ld "$1/" 2>/dev/null) in d????-??-*) return 0 ;; esac
  return 1
}
case ${XDG_CACHE_HOME-} in /?*) owned=$XDG_CACHE_HOME caches=$owned ;; *) owned=${HOME-} caches=$owned/.cache ;; esac
case $owned in
  /?*)
    cache=$caches/ccx
    if [ -z "${NODE_COMPILE_CACHE-}${NODE_DISABLE_COMPILE_CACHE-}" ] && is_private "$owned"; then
      [ -d "$cache" ] || (umask 077 && mkdir -p "$cache") 2>/dev/null
      if [ ! -h "$cache" ] && [ -w "$cache" ] && is_private "$caches" && is_private "$cache"; then
        export NODE_COMPILE_CACHE="$cache"
      fi
    fi
    ;;
esac

for node in "$root/node_modules/.bin/node" node; do
  case $("$node" --version 2>/dev/null) in
    v2[4-9].* | v[3-9][0-9].* | v[1-9][0-9][0-9].*) CCX_ARGV0=$name exec "$node" $flags "$root/src/$entry" "$@" ;;
  esac
done
echo "$name: needs Node.js 24 or newer; none was found in $root/node_modules/.bin or on the PATH (run 'npm ci' in $root, or install Node.js 24)" >&2
exit 1
