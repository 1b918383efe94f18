"""The AWS account of a deployment: two CloudFormation stacks, what their outputs mean to Airflow, and a look at it all.

    python -m aws deploy --bucket NAME     make or change the stacks; `make deploy BUCKET=NAME`
    python -m aws doctor --bucket NAME     say what is missing and how to mend it; changes nothing
    python -m aws destroy                  take the stacks away; the bucket and its key stay

Credentials, region and endpoint are boto3's: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the like. The local stack
deploys the same two templates to local AWS (moto knows all of their resources but the bucket policy, the topic policy
and the budget, which it passes over).
"""
