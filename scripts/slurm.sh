#!/bin/sh
# A Slurm cluster on this machine, without systemd, for tests: `slurm.sh start FOLDER [CPUS]` starts a controller and two nodes of so
# many processors (2), whose files are all below FOLDER, and prints the path of the configuration, which SLURM_CONF must name for
# sbatch and the others; `slurm.sh stop FOLDER` ends them. Debian: apt-get install slurmctld slurmd slurm-client munge. Needs root.
set -eu

usage() { echo "usage: slurm.sh start FOLDER [CPUS], or slurm.sh stop FOLDER" >&2; exit 2; }
if [ $# -lt 2 ] || [ $# -gt 3 ]; then usage; fi
command=$1
cpus=${3:-2}
mkdir -p "$2"
folder=$(cd "$2" && pwd)
# Ports that a Slurm of the machine does not use: its own are 6817 and 6818.
readonly CONTROLLER=16817 FIRST_NODE=16820
host=$(hostname -s)

# Ends the process whose number a file holds, if it is still the program of that name.
end() {
    [ -f "$1" ] || return 0
    id=$(cat "$1")
    if [ "$(cat "/proc/$id/comm" 2>/dev/null)" = "$2" ]; then
        kill "$id" 2>/dev/null || true
        while kill -0 "$id" 2>/dev/null; do sleep 0.1; done
    fi
    rm -f "$1"
}

configure() {
    mkdir -p "$folder/state" "$folder/node0" "$folder/node1"
    cat >"$folder/slurm.conf" <<CONF
ClusterName=counterpatch
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$CONTROLLER
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=30
SchedulerParameters=batch_sched_delay=0,sched_interval=2
NodeName=node0 NodeHostname=$host NodeAddr=127.0.0.1 Port=$FIRST_NODE CPUs=$cpus RealMemory=1000
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((FIRST_NODE + 1)) CPUs=$cpus RealMemory=1000
PartitionName=main Nodes=node0,node1 Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
    for program in munged slurmctld slurmd; do
        command -v "$program" >/dev/null || { echo "slurm.sh: $program is missing (apt-get install slurmctld slurmd slurm-client munge)" >&2; exit 1; }
    done
    configure
    # munged wants its folder to be nobody else's.
    chmod 755 "$folder"
    [ -f "$folder/munge.key" ] || head -c 1024 /dev/urandom >"$folder/munge.key"
    chmod 400 "$folder/munge.key"
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
    export SLURM_CONF="$folder/slurm.conf"
    slurmctld -f "$SLURM_CONF"
    for node in node0 node1; do
        slurmd -f "$SLURM_CONF" -N "$node"
    done
    tries=100
    until [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null | head -n 1)" = 2 ]; do
        tries=$((tries - 1))
        if [ $tries -eq 0 ]; then
            echo "slurm.sh: the nodes are not ready: see the logs in $folder" >&2
            exit 1
        fi
        sleep 0.2
    done
    echo "$SLURM_CONF"
}

stop() {
    end "$folder/node0.pid" slurmd
    end "$folder/node1.pid" slurmd
    end "$folder/slurmctld.pid" slurmctld
    end "$folder/munged.pid" munged
}

case $command in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac
