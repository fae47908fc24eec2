//! Programs that a batch system starts without the launcher: `srun ./prog`, `mpirun ./prog`.
//!
//! | started by | rank, size, rank on the host | name of the job | one host | host of rank 0 |
//! |---|---|---|---|---|
//! | Slurm's `srun` | `SLURM_PROCID`, `SLURM_STEP_NUM_TASKS`, `SLURM_LOCALID` | `SLURM_JOB_ID`, `SLURM_STEP_ID` | `SLURM_STEP_NUM_NODES` | `SLURM_STEP_NODELIST` |
//! | Open MPI's `mpirun` | `OMPI_COMM_WORLD_RANK`, `.._SIZE`, `.._LOCAL_RANK` | `PMIX_NAMESPACE` or `OMPI_MCA_ess_base_jobid` | `OMPI_COMM_WORLD_LOCAL_SIZE` | `DSTD_MEET` |
//! | MPICH's `mpirun` | `PMI_RANK`, `PMI_SIZE`, `MPI_LOCALRANKID` | `PMI_JOBID` or `PMI_PORT` | `MPI_LOCALNRANKS` | `DSTD_MEET` |
//!
//! `DSTD_MEET=host[:port]` says for all of them where rank 0 is met; `DSTD_ALONE=1` makes a program one
//! node whatever has started it.

use std::ffi::{OsStr, OsString};

use super::{EnvError, Lookup, MEMBERSHIP, get, need, process_env};

/// A program as one node, whatever its environment says.
pub const ALONE: &str = "DSTD_ALONE";
/// Where rank 0 is met.
const MEET: &str = "DSTD_MEET";
/// Steps of Slurm with larger numbers are no `srun`: batch scripts, shells, prologs.
const SLURM_STEPS_MAX: u32 = 0xffff_fff0;
/// Ports below those that the kernel gives to connections.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// A place among processes that a batch system has started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Managed {
    /// Name of the job, the same for all ranks and for no other job of this user.
    pub job: String,
    /// This node.
    pub rank: u16,
    /// How many nodes there are.
    pub size: u16,
    /// This node among those of its host.
    pub local_rank: u16,
    /// All ranks are on one host.
    pub one_host: bool,
    /// Where rank 0 runs, as a name or an address.
    pub first_host: Option<String>,
    /// The port on which rank 0 meets the others.
    pub port: u16,
}

impl Managed {
    /// Reads the place from the environment of this process; `None` for a program that is one node, or that
    /// the launcher has started.
    ///
    /// # Errors
    /// When a variable is missing or cannot be understood.
    pub fn from_env() -> Result<Option<Managed>, EnvError> {
        Managed::from_lookup(&process_env)
    }

    /// The same from `lookup`.
    ///
    /// # Errors
    /// When a variable is missing or cannot be understood.
    pub fn from_lookup(lookup: &Lookup<'_>) -> Result<Option<Managed>, EnvError> {
        let set = |name: &str| lookup(name).is_some();
        if set(ALONE) || MEMBERSHIP.iter().any(|name| set(name)) {
            return Ok(None);
        }
        // An MPI's own daemons may run under srun, and its ranks inherit their variables.
        let found = if set("OMPI_COMM_WORLD_RANK") {
            Some(open_mpi(lookup)?)
        } else if let Some(step) = slurm(lookup)?.filter(|step| !contradicts(lookup, step)) {
            Some(step)
        } else if set("PMI_RANK") {
            Some(pmi(lookup)?)
        } else {
            None
        };
        let Some(mut found) = found.filter(|found| found.size > 1) else { return Ok(None) };
        let meet = get(lookup, MEET, "a host, or host:port", |text| {
            let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let port =
                port.map_or(Some(None), |port| port.parse().ok().filter(|&port| port > 0).map(Some))?;
            (!host.is_empty()).then(|| (host.to_owned(), port))
        })?;
        if let Some((host, port)) = meet {
            found.first_host = Some(host);
            found.port = port.unwrap_or(found.port);
        }
        Ok(Some(found))
    }
}

/// Whether a variable says which rank a process is, or is different for each: the nodes of a program have
/// the same environment, and the programs that they start are no ranks.
pub fn is_of_a_rank(name: &OsStr) -> bool {
    const NAMES: [&str; 10] = [
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_NODEID",
        "SLURM_GTIDS",
        "SLURM_TASK_PID",
        "SLURM_TOPOLOGY_ADDR",
        "SLURMD_NODENAME",
        "SLURM_CPU_BIND",
        "SLURM_CPU_BIND_LIST",
        "MPI_LOCALRANKID",
    ];
    const PREFIXES: [&str; 4] = ["PMI_", "PMIX_", "OMPI_", "PRTE_"];
    let name = name.to_string_lossy();
    NAMES.contains(&&*name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether PMI knows this process under another rank than Slurm.
fn contradicts(lookup: &Lookup<'_>, step: &Managed) -> bool {
    let number = |name: &str| -> Option<u16> { lookup(name)?.to_str()?.parse().ok() };
    number("PMI_RANK").is_some_and(|rank| rank != step.rank)
        || number("PMI_SIZE").is_some_and(|size| size != step.size)
}

fn slurm(lookup: &Lookup<'_>) -> Result<Option<Managed>, EnvError> {
    let step: Option<u32> = get(lookup, "SLURM_STEP_ID", "a whole number", |text| text.parse().ok())?;
    let Some(step) = step.filter(|&step| step < SLURM_STEPS_MAX) else { return Ok(None) };
    if lookup("SLURM_PROCID").is_none() {
        return Ok(None);
    }
    let either = |a: &'static str, b: &'static str| if lookup(a).is_some() { a } else { b };
    let job: u64 = need(lookup, either("SLURM_JOB_ID", "SLURM_JOBID"), "a whole number", |t| t.parse().ok())?;
    let hosts: u32 =
        need(lookup, either("SLURM_STEP_NUM_NODES", "SLURM_NNODES"), "a whole number", |t| t.parse().ok())?;
    let nodes = text(lookup, either("SLURM_STEP_NODELIST", "SLURM_NODELIST"));
    let size = either("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS");
    let place = place(lookup, "SLURM_PROCID", size, "SLURM_LOCALID")?;
    Ok(Some(Managed {
        one_host: hosts == 1,
        first_host: nodes.as_deref().and_then(first_of_list),
        ..named(format!("slurm {job}.{step}"), place)
    }))
}

fn open_mpi(lookup: &Lookup<'_>) -> Result<Managed, EnvError> {
    const SIZE: &str = "OMPI_COMM_WORLD_SIZE";
    let place = place(lookup, "OMPI_COMM_WORLD_RANK", SIZE, "OMPI_COMM_WORLD_LOCAL_RANK")?;
    let local: u16 = need(lookup, "OMPI_COMM_WORLD_LOCAL_SIZE", "a whole number", |t| t.parse().ok())?;
    let job = text(lookup, "PMIX_NAMESPACE").or_else(|| text(lookup, "OMPI_MCA_ess_base_jobid"));
    let job = job.ok_or(EnvError::Missing { name: "PMIX_NAMESPACE" })?;
    let size = place.1;
    Ok(Managed { one_host: local == size, ..named(format!("open mpi {job}"), place) })
}

fn pmi(lookup: &Lookup<'_>) -> Result<Managed, EnvError> {
    let place = place(lookup, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID")?;
    let local: u16 = need(lookup, "MPI_LOCALNRANKS", "a whole number", |t| t.parse().ok())?;
    let job = text(lookup, "PMI_JOBID").or_else(|| text(lookup, "PMI_PORT"));
    let job = job.ok_or(EnvError::Missing { name: "PMI_JOBID" })?;
    let size = place.1;
    Ok(Managed { one_host: local == size, ..named(format!("pmi {job}"), place) })
}

fn named(job: String, (rank, size, local_rank): (u16, u16, u16)) -> Managed {
    let port = port_of(&job);
    Managed { job, rank, size, local_rank, one_host: false, first_host: None, port }
}

fn place(
    lookup: &Lookup<'_>,
    rank: &'static str,
    size: &'static str,
    local: &'static str,
) -> Result<(u16, u16, u16), EnvError> {
    let all: u16 = need(lookup, size, "a number of nodes from 1 to 64", |text| {
        text.parse().ok().filter(|all| (1..=dstd_addr::NODES_MAX).contains(all))
    })?;
    let below = |name| {
        need(lookup, name, "a number below that of all ranks", |text| {
            text.parse().ok().filter(|&rank: &u16| rank < all)
        })
    };
    Ok((below(rank)?, all, below(local)?))
}

fn text(lookup: &Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).and_then(|value: OsString| value.into_string().ok()).filter(|text| !text.is_empty())
}

/// The first host of a list as Slurm writes it: `a,b`, `node[01-03,07]`, `r[1-2]n[1-4]`.
fn first_of_list(list: &str) -> Option<String> {
    let mut host = String::new();
    let mut rest = list;
    loop {
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        host.push_str(&rest[..end]);
        let Some(inside) = rest[end..].strip_prefix('[') else { break };
        let (numbers, after) = inside.split_once(']')?;
        host.push_str(numbers.split([',', '-']).next()?);
        rest = after;
    }
    (!host.is_empty()).then_some(host)
}

/// A port that another job has rarely.
fn port_of(job: &str) -> u16 {
    let hash = job.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    PORTS.start + u16::try_from(hash % u64::from(PORTS.end - PORTS.start)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn parse(vars: &[(&str, &str)]) -> Result<Option<Managed>, EnvError> {
        let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
        Managed::from_lookup(&|name| vars.get(name).map(OsString::from))
    }

    const STEP: [(&str, &str); 7] = [
        ("SLURM_JOB_ID", "77"),
        ("SLURM_STEP_ID", "0"),
        ("SLURM_PROCID", "2"),
        ("SLURM_STEP_NUM_TASKS", "4"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_STEP_NUM_NODES", "2"),
        ("SLURM_STEP_NODELIST", "gpu[07-08]"),
    ];

    fn step_with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        STEP.into_iter().chain(more.iter().copied()).collect()
    }

    #[test]
    fn a_step_of_slurm_is_a_program() {
        let found = parse(&STEP).expect("understood").expect("found");
        assert_eq!((found.rank, found.size, found.local_rank, found.one_host), (2, 4, 1, false));
        assert_eq!((found.job.as_str(), found.first_host.as_deref()), ("slurm 77.0", Some("gpu07")));
        assert!(PORTS.contains(&found.port));
        let other = parse(&step_with(&[("SLURM_STEP_ID", "1")])).expect("understood").expect("found");
        assert_ne!(other.port, found.port, "another step, another port");
        let met = parse(&step_with(&[("DSTD_MEET", "10.0.0.9:5000")])).expect("understood").expect("found");
        assert_eq!((met.first_host.as_deref(), met.port), (Some("10.0.0.9"), 5000));
        let met = parse(&step_with(&[("DSTD_MEET", "gpu7")])).expect("understood").expect("found");
        assert_eq!((met.first_host.as_deref(), met.port), (Some("gpu7"), found.port));
    }

    #[test]
    fn one_process_is_one_node_and_so_is_who_was_launched_or_told() {
        assert_eq!(parse(&[]), Ok(None));
        for more in [
            ("SLURM_STEP_NUM_TASKS", "1"),
            ("DSTD_ALONE", "1"),
            ("DSTD_SIZE", "2"),
            // A batch script.
            ("SLURM_STEP_ID", "4294967291"),
        ] {
            let rank = ("SLURM_PROCID", "0");
            let local = ("SLURM_LOCALID", "0");
            assert_eq!(parse(&step_with(&[rank, local, more])), Ok(None), "{more:?}");
        }
        let batch: Vec<_> = STEP.into_iter().filter(|(name, _)| *name != "SLURM_STEP_ID").collect();
        assert_eq!(parse(&batch), Ok(None));
    }

    #[test]
    fn mpis_are_understood_also_below_slurm() {
        let open = [
            ("OMPI_COMM_WORLD_RANK", "1"),
            ("OMPI_COMM_WORLD_SIZE", "3"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "3"),
            ("PMIX_NAMESPACE", "prterun-a-1@1"),
        ];
        let found = parse(&step_with(&open)).expect("understood").expect("found");
        assert_eq!((found.rank, found.size, found.one_host), (1, 3, true));
        let mpich = [
            ("PMI_RANK", "0"),
            ("PMI_SIZE", "3"),
            ("MPI_LOCALRANKID", "0"),
            ("MPI_LOCALNRANKS", "2"),
            ("PMI_PORT", "a:4000"),
        ];
        let found = parse(&step_with(&mpich)).expect("understood").expect("found");
        assert_eq!((found.rank, found.size, found.one_host, found.first_host), (0, 3, false, None));
        // srun --mpi=pmi2 says the same twice.
        let twice = [("PMI_RANK", "2"), ("PMI_SIZE", "4")];
        assert_eq!(parse(&step_with(&twice)), parse(&STEP));
    }

    #[test]
    fn without_what_is_of_a_rank_a_program_is_one_node() {
        let open = [("OMPI_COMM_WORLD_RANK", "1"), ("PMI_RANK", "1")];
        let left: Vec<_> =
            step_with(&open).into_iter().filter(|(name, _)| !is_of_a_rank(OsStr::new(name))).collect();
        assert!(left.iter().any(|(name, _)| *name == "SLURM_JOB_ID"), "the job stays known");
        assert_eq!(parse(&left), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("SLURM_PROCID", "4"),
            ("SLURM_STEP_NUM_TASKS", "65"),
            ("SLURM_LOCALID", "x"),
            ("SLURM_STEP_NUM_NODES", ""),
            ("SLURM_JOB_ID", "abc"),
            ("DSTD_MEET", ":80"),
            ("DSTD_MEET", "host:0"),
        ] {
            match parse(&step_with(&[(name, value)])) {
                Err(EnvError::Invalid { name: named, .. }) => assert_eq!(named, name),
                other => panic!("{name}={value:?} gave {other:?}"),
            }
        }
        let without: Vec<_> = STEP.into_iter().filter(|(name, _)| *name != "SLURM_LOCALID").collect();
        assert_eq!(parse(&without), Err(EnvError::Missing { name: "SLURM_LOCALID" }));
    }

    #[test]
    fn the_first_host_of_a_list() {
        for (list, first) in [
            ("a", Some("a")),
            ("a,b", Some("a")),
            ("node[01-03,07],x", Some("node01")),
            ("node[7]", Some("node7")),
            ("r[1-2]n[3-4].example,z", Some("r1n3.example")),
            ("", None),
            ("n[1", None),
        ] {
            assert_eq!(first_of_list(list).as_deref(), first, "{list:?}");
        }
    }
}
