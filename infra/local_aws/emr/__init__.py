"""EMR that executes.

RunJobFlow runs the bootstrap actions on every node, steps run `command-runner.jar` with a real Spark of the 3.5 line,
states, timelines and log files are those of EMR. A node is a folder and a mark on processes; all nodes share this
machine's file system, user and network.

**Not simulated**, and refused with an error of code `NotSimulated` (`validation.py` has the list of arguments):
operations other than those in `operations/` (notebooks, studios, sessions, instance groups and fleets added or resized
later, auto-scaling policies, block public access); jars other than command-runner.jar; `--deploy-mode cluster`;
releases outside emr-7.*; applications other than Spark and Hadoop; three master nodes; Kerberos; custom AMIs.

**Recorded and described again, without effect**: subnets, security groups, key pairs, EBS volumes, encryption,
placement, managed scaling, bid prices, spot time-outs (capacity is never short), configurations other than
`spark-defaults` and `spark-env`'s `export`, HadoopJarStep's Properties and MainClass.

**Different from EMR**: no YARN and no HDFS, `--master yarn` means the cluster's own local-cluster master; `s3://` paths
are not readable by Spark itself (use boto3); `python3` is this interpreter's version, not 3.9; a memory limit on a
container is not enforced; permissions of IAM roles are not checked, only that they exist; logs appear at once unless
a delay is asked for; the words of an error are EMR's as far as they are known to the authors.
"""
