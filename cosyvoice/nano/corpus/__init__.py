"""What the embedded voice learns from: texts out of packages, read aloud by synthetic voices."""
