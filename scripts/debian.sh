# install_debian WHAT PACKAGE…: install by apt, as root or with sudo; elsewhere print what to install.
install_debian() {
  what=$1
  shift
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Please install $what (on Debian: apt-get install $*), then run this again." >&2
    exit 1
  fi
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
  else
    echo "Please install $what as root: apt-get install $*" >&2
    exit 1
  fi
  echo "Installing $what: $*" >&2
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
