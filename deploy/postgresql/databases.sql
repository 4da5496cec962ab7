-- One database for each of the two servers; PostgreSQL runs this when its volume is empty.
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
