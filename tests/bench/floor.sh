#!/usr/bin/env bash
# The floor of `make up`: the same packages in the same containers on the same networks as bundles/dmz.yaml, by a plain
# shell script without any of our software. It ends when haproxy's virtual address in the DMZ has given a token, and
# glance and placement have answered to it.
#
#   floor.sh up FOLDER      the base is built in FOLDER
#   floor.sh down FOLDER
#
# What each step took goes to standard error, in seconds. Nothing is hardened, nothing is watched, nothing can be changed
# later: that is what makes it a floor.
set -euo pipefail

folder=$2
base=$folder/base
net=10.182
password=floor
runtime=(--cgroup-manager=cgroupfs --runtime=runc)
networks=(dmz:10 internal:20 admin:30 api:40 data:50)
# Name, its number in every network, and its networks.
machines=(
    'mysql       11 data'
    'keystone-0  21 api data internal'
    'keystone-1  22 api data internal'
    'placement-0 31 api data internal'
    'placement-1 32 api data internal'
    'glance-0    41 api data internal'
    'lb-public-0 51 api dmz'
    'lb-public-1 52 api dmz'
    'lb-inside-0 61 api internal admin'
    'lb-inside-1 62 api internal admin'
)
# What a base of jujulet has (jujulet/src/jujulet/machines/images.py; a unit test compares).
base_packages=apt,systemd,systemd-sysv,dbus,udev,init,cron,logrotate,netbase,procps,psmisc,kmod,iproute2,iputils-ping,python3,python3-yaml,sudo,curl,gnupg,ca-certificates,openssh-server,less,adduser,tzdata,lsb-release,xz-utils
api_packages=(apache2 libapache2-mod-wsgi-py3 logrotate memcached python3-pymysql)

now() { echo "${EPOCHREALTIME/[.,]/}"; }   # Microseconds
began=$(now)
say() { local since=$(($(now) - began)); printf '%4d.%d %s\n' $((since / 1000000)) $((since / 100000 % 10)) "$*" >&2; }
in_() { local name=$1; shift; podman "${runtime[@]}" exec -i "floor-$name" "$@"; }
put() { in_ "$1" sh -c "mkdir -p \$(dirname $2) && cat > $2"; }
subnet() { local n; for n in "${networks[@]}"; do if [ "${n%:*}" = "$1" ]; then echo "$net.${n#*:}"; fi; done; }
vip() { echo "$(subnet "$1").250"; }
until_() { local what=$1 i; shift; for i in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.5; done
           say "never: $what"; return 1; }

build() {
    local sources=() file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -s "$file" ] && sources+=("$file")
    done
    mmdebstrap --quiet --mode=root --format=directory --variant=minbase --skip=cleanup/apt/lists,output/dev \
        --include="$base_packages" "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$base" "${sources[@]}"
    echo force-unsafe-io > "$base/etc/dpkg/dpkg.cfg.d/floor"
    printf '#!/bin/sh\nexit 101\n' > "$base/usr/sbin/policy-rc.d"    # Nothing starts before it is configured.
    chmod 755 "$base/usr/sbin/policy-rc.d"
    for file in systemd-udevd.service systemd-udev-trigger.service systemd-logind.service console-getty.service \
                getty.target apt-daily.timer apt-daily-upgrade.timer; do
        ln -sf /dev/null "$base/etc/systemd/system/$file"
    done
    : > "$base/etc/machine-id"
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -r /usr/local/share/ca-certificates "$base/usr/local/share/"
        chroot "$base" update-ca-certificates >/dev/null 2>&1
    fi
    say 'base built'
}

start() {   # NAME NUMBER NETWORK…
    local name=$1 number=$2 network args=(); shift 2
    for network; do args+=("--network=floor-$network:ip=$(subnet "$network").$number"); done
    podman "${runtime[@]}" run --detach --name "floor-$name" --hostname "$name" --systemd=always --log-driver=none \
        --cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN --security-opt=apparmor=unconfined --pids-limit=-1 \
        --ulimit=nofile=20000:20000 --ulimit=nproc=20000:20000 --sysctl=net.ipv4.ip_nonlocal_bind=1 \
        "${args[@]}" --rootfs "$base:O" /sbin/init >/dev/null
}

install() {   # NAME PACKAGE…
    local name=$1; shift
    in_ "$name" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends \
        "$@" >"$folder/$name.log" 2>&1
    say "$name: packages installed"
}

mysql() {
    install mysql mariadb-server
    printf '[mariadbd]\nbind-address = 0.0.0.0\nskip-name-resolve\nmax_connections = 1000\n' |
        put mysql /etc/mysql/mariadb.conf.d/90-floor.cnf
    in_ mysql systemctl restart mariadb
    for name in keystone placement glance; do
        echo "CREATE DATABASE $name; GRANT ALL ON $name.* TO '$name'@'%' IDENTIFIED BY '$password';"
    done | in_ mysql mariadb
    say 'mysql: ready'
    touch "$folder/mysql.ready"
}

connection() { echo "connection = mysql+pymysql://$1:$password@$(subnet data).11/$1"; }

authtoken() {
    cat <<END
[keystone_authtoken]
auth_type = password
auth_url = http://$(vip internal):5000
www_authenticate_uri = http://$(vip dmz):5000
username = $1
password = $password
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
memcached_servers = 127.0.0.1:11211
memcache_security_strategy = ENCRYPT
memcache_secret_key = $password
END
}

site() {   # NAME APPLICATION SCRIPT USER PORT [DIRECTIVE]: Apache serves it, and nothing else
    put "$1" /etc/apache2/sites-enabled/floor.conf <<END
Listen $5
<VirtualHost *:$5>
    WSGIDaemonProcess $2 user=$4 group=$4 processes=2 threads=8 lang=C.UTF-8 locale=C.UTF-8 home=/var/lib/$4
    WSGIProcessGroup $2
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias / $3 process-group=$2 application-group=%{GLOBAL}
    WSGIPassAuthorization On
    ${6:-}
    <Directory ${3%/*}>
        Require all granted
    </Directory>
</VirtualHost>
END
    in_ "$1" sh -c 'rm -f /etc/apache2/sites-enabled/000-default.conf; : > /etc/apache2/ports.conf
                    systemctl start memcached; systemctl restart apache2'
}

keystone() {   # NUMBER
    local name=keystone-$1
    install "$name" keystone "${api_packages[@]}"
    put "$name" /etc/keystone/keystone.conf <<END
[DEFAULT]
log_dir = /var/log/keystone
[database]
$(connection keystone)
[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = 127.0.0.1:11211
[token]
provider = fernet
[oslo_middleware]
enable_proxy_headers_parsing = true
END
    until_ 'mysql is there' test -e "$folder/mysql.ready"
    if [ "$1" = 0 ]; then
        in_ "$name" sh -ec "
            runuser -u keystone -- keystone-manage db_sync
            keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
            keystone-manage credential_setup --keystone-user keystone --keystone-group keystone
            runuser -u keystone -- keystone-manage bootstrap --bootstrap-password $password \
                --bootstrap-region-id RegionOne --bootstrap-public-url http://$(vip dmz):5000/v3 \
                --bootstrap-internal-url http://$(vip internal):5000/v3 \
                --bootstrap-admin-url http://$(vip admin):5000/v3" >>"$folder/$name.log" 2>&1
        in_ "$name" tar -C /etc/keystone -c fernet-keys credential-keys > "$folder/keys.tar.new"
        mv "$folder/keys.tar.new" "$folder/keys.tar"
        say "$name: schema and keys"
    else
        until_ 'keys are there' test -e "$folder/keys.tar"
        in_ "$name" tar -C /etc/keystone -x < "$folder/keys.tar"
    fi
    site "$name" keystone /usr/bin/keystone-wsgi-public keystone 5000
    say "$name: ready"
    [ "$1" != 0 ] || catalogue
}

ask() {   # METHOD PATH [BODY]: of the first keystone, as its administrator
    in_ keystone-0 curl -sS -X "$1" -H "X-Auth-Token: $held" -H 'Content-Type: application/json' \
        ${3:+--data "$3"} "http://127.0.0.1:5000/v3$2"
}

id_() { local all; all=$(grep -o '"id": "[^"]*"'); cut -d '"' -f 4 <<<"${all%%$'\n'*}"; }

token() {   # URL
    local auth
    auth='{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "password": "'$password'",
           "domain": {"id": "default"}}}}, "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}'
    curl -sS -i --max-time 10 -H 'Content-Type: application/json' --data "$auth" "$1/v3/auth/tokens" |
        tr -d '\r' | sed -n 's/^x-subject-token: //Ip' | grep .
}

catalogue() {   # Users, services and endpoints of the others
    local project role name user service kind
    until_ 'keystone answers' token "http://$(subnet api).21:5000"
    held=$(token "http://$(subnet api).21:5000")
    project=$(ask POST /projects '{"project": {"name": "service", "domain_id": "default"}}' | id_)
    role=$(ask GET '/roles?name=admin' | id_)
    for name in placement:placement:8778 glance:image:9292; do
        IFS=: read -r name kind port <<<"$name"
        user=$(ask POST /users '{"user": {"name": "'"$name"'", "password": "'$password'"}}' | id_)
        ask PUT "/projects/$project/users/$user/roles/$role"
        service=$(ask POST /services '{"service": {"name": "'"$name"'", "type": "'"$kind"'"}}' | id_)
        for kind in public:dmz internal:internal admin:admin; do
            ask POST /endpoints '{"endpoint": {"service_id": "'"$service"'", "interface": "'"${kind%:*}"'",
                "region_id": "RegionOne", "url": "http://'"$(vip "${kind#*:}"):$port"'"}}' >/dev/null
        done
    done
    say 'keystone-0: catalogue'
}

placement() {   # NUMBER
    local name=placement-$1
    install "$name" placement-api "${api_packages[@]}"
    put "$name" /etc/placement/placement.conf <<END
[DEFAULT]
log_dir = /var/log/placement
[api]
auth_strategy = keystone
[placement_database]
$(connection placement)
$(authtoken placement)
END
    until_ 'mysql is there' test -e "$folder/mysql.ready"
    if [ "$1" = 0 ]; then
        in_ "$name" runuser -u placement -- placement-manage db sync >>"$folder/$name.log" 2>&1
        say "$name: schema"
    fi
    site "$name" placement-api /usr/bin/placement-api placement 8778
    say "$name: ready"
}

glance() {
    local name=glance-0
    install "$name" glance-api "${api_packages[@]}"
    put "$name" /etc/glance/glance-api.conf <<END
[DEFAULT]
log_dir = /var/log/glance
enabled_backends = fs:file
[database]
$(connection glance)
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = /var/lib/glance/images
[os_glance_staging_store]
filesystem_store_datadir = /var/lib/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = /var/lib/glance/tasks
[paste_deploy]
flavor = keystone
$(authtoken glance)
END
    in_ "$name" install -d -o glance -g glance /var/lib/glance/images /var/lib/glance/staging /var/lib/glance/tasks
    until_ 'mysql is there' test -e "$folder/mysql.ready"
    in_ "$name" runuser -u glance -- glance-manage db_sync >>"$folder/$name.log" 2>&1
    say "$name: schema"
    site "$name" glance-api /usr/bin/glance-wsgi-api glance 9292 'WSGIChunkedRequest On'
    say "$name: ready"
}

frontend() {   # NETWORK NAME PORT ADDRESS…
    local network=$1 name=$2 port=$3 i=0 address; shift 3
    printf 'frontend %s-%s\n    bind %s:%s\n    default_backend %s-%s\n' \
        "$name" "$network" "$(vip "$network")" "$port" "$name" "$network"
    printf 'backend %s-%s\n    option httpchk GET /\n    http-check expect status 200-399\n' "$name" "$network"
    for address; do printf '    server s%s %s:%s check\n' $((i++)) "$address" "$port"; done
}

balancer() {   # PAIR NUMBER OWN-OCTET PEER-OCTET NETWORK…
    local name=lb-$1-$2 api network interfaces address own=$3 peer=$4; shift 4
    api=$(subnet api)
    install "$name" haproxy keepalived
    {
        printf 'global\n    user haproxy\n    group haproxy\ndefaults\n    mode http\n    option forwardfor\n'
        printf '    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n'
        for network; do
            frontend "$network" keystone 5000 "$api.21" "$api.22"
            frontend "$network" glance 9292 "$api.41"
            [ "$network" = dmz ] || frontend "$network" placement 8778 "$api.31" "$api.32"
        done
    } | put "$name" /etc/haproxy/haproxy.cfg
    interfaces=$(in_ "$name" ip -o -4 address)
    device() { awk -v a="$1" 'index($4, a ".") == 1 { print $2 }' <<<"$interfaces"; }
    {
        printf 'vrrp_instance floor {\n    state BACKUP\n    interface %s\n    virtual_router_id 51\n' "$(device "$api")"
        printf '    priority %s\n    advert_int 1\n' $((100 - own))
        printf '    unicast_src_ip %s.%s\n    unicast_peer {\n        %s.%s\n    }\n' "$api" "$own" "$api" "$peer"
        printf '    virtual_ipaddress {\n'
        for network; do printf '        %s/24 dev %s\n' "$(vip "$network")" "$(device "$(subnet "$network")")"; done
        printf '    }\n}\n'
    } | put "$name" /etc/keepalived/keepalived.conf
    in_ "$name" systemctl restart haproxy keepalived
    say "$name: ready"
}

proof() {
    local public
    public=http://$(vip dmz)
    until_ 'a token through the haproxy in the DMZ' token "$public:5000"
    held=$(token "$public:5000")
    until_ 'glance' curl -sSf --max-time 10 -H "X-Auth-Token: $held" "$public:9292/v2/images"
    until_ 'placement' curl -sSf --max-time 10 -H "X-Auth-Token: $held" "http://$(vip internal):8778/resource_providers"
    say 'a token, and glance and placement answer to it'
}

up() {
    local machine n jobs=() job
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    mkdir -p "$folder"
    for n in "${networks[@]}"; do
        podman network create --opt isolate=true --disable-dns --subnet "$net.${n#*:}.0/24" "floor-${n%:*}" >/dev/null
    done
    build
    for machine in "${machines[@]}"; do
        # shellcheck disable=SC2086 -- words are meant
        start $machine & jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job"; done
    say 'containers started'
    jobs=()
    mysql & jobs+=($!)
    keystone 0 & jobs+=($!)
    keystone 1 & jobs+=($!)
    placement 0 & jobs+=($!)
    placement 1 & jobs+=($!)
    glance & jobs+=($!)
    balancer public 0 51 52 dmz & jobs+=($!)
    balancer public 1 52 51 dmz & jobs+=($!)
    balancer inside 0 61 62 internal admin & jobs+=($!)
    balancer inside 1 62 61 internal admin & jobs+=($!)
    for job in "${jobs[@]}"; do wait "$job"; done
    proof
}

down() {
    local machine n
    for machine in "${machines[@]}"; do
        podman "${runtime[@]}" rm --force --time 0 --ignore "floor-${machine%% *}" >/dev/null
    done
    for n in "${networks[@]}"; do
        if podman network exists "floor-${n%:*}"; then podman network rm --force "floor-${n%:*}" >/dev/null; fi
    done
    rm -rf --one-file-system "$folder"
}

"$1"
